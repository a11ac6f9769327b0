package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Freeze cuts off an agent, a project, a secret or a namespace, at once.
func (c *Client) Freeze(ctx context.Context, in api.FreezeTarget) (api.Frozen, error) {
	return admin[api.Frozen](ctx, c, http.MethodPost, at("/admin/freeze"), nil, in)
}

// Unfreeze lets something in again, also what a honey secret froze.
func (c *Client) Unfreeze(ctx context.Context, in api.FreezeTarget) (api.Unfrozen, error) {
	return admin[api.Unfrozen](ctx, c, http.MethodPost, at("/admin/unfreeze"), nil, in)
}

// Freezes returns what is frozen, newest first.
func (c *Client) Freezes(ctx context.Context) ([]api.Freeze, error) {
	return admin[[]api.Freeze](ctx, c, http.MethodGet, at("/admin/freezes"), nil, nil)
}
