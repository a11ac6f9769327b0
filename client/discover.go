package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// Discover asks for a project's token. The request carries the agent's own
// proof; by adds the daemon's attestation, without which a server refuses
// unless it was told not to. A first access that waits for a person fails
// with [api.PendingApproval] and the grant's id in the error's Details.
func (c *Client) Discover(ctx context.Context, in api.DiscoverRequest, by Attester) (api.DiscoverResponse, error) {
	var none api.DiscoverResponse
	body, err := plainJSON(in)
	if err != nil {
		return none, err
	}
	r := request{method: http.MethodPost, path: at("/agent/discover"), header: http.Header{}, body: body}
	if err := attest(by, &r, proof.AgentTokenID(in.AgentID)); err != nil {
		return none, err
	}
	out, err := call[api.DiscoverResponse](ctx, c, r)
	switch {
	case err != nil:
	case out.ProjectToken.Len() == 0:
		err = errLacks("project_token")
	case !graphic(out.ProjectToken.Reveal()):
		err = fmt.Errorf("%w: project_token", ErrAnswer)
	}
	return out, err
}
