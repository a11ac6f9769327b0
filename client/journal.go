package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// KeepJournal tells the server what was used while it was away, in lines that the
// agent's daemons wrote: at most [api.MaxJournal] of them. What it was told before
// it does not record again. A journal that is not good is [api.JournalRejected].
func (c *Client) KeepJournal(ctx context.Context, agentID string, lines []string, by Attester) (recorded int, err error) {
	body, err := json.Marshal(api.Journal{Entries: lines})
	if err != nil {
		return 0, fmt.Errorf("encoding the request: %w", err)
	}
	r := request{method: http.MethodPost, path: at("/daemon/journal"), header: http.Header{}, body: body}
	if err := attest(by, &r, proof.AgentTokenID(agentID)); err != nil {
		return 0, err
	}
	out, err := call[api.JournalKept](ctx, c, r)
	return out.Recorded, err
}
