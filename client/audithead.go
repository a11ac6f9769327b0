package client

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// AuditHead returns a signed note of where the audit trail ends, and the key
// that verifies it, as it does.
func (c *Client) AuditHead(ctx context.Context) (n note.Note, k note.Key, err error) {
	a, err := admin[api.AuditHead](ctx, c, http.MethodGet, at("/admin/audit/head"), nil, nil)
	if err != nil {
		return n, k, err
	}
	if k, err = note.ParseKey(a.VerifierKey); err == nil {
		n, err = note.Parse([]byte(a.Note))
	}
	if err == nil {
		err = n.Verify(k)
	}
	if err != nil {
		return n, k, fmt.Errorf("%w: %w", ErrAnswer, err)
	}
	return n, k, nil
}
