package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// UndeleteSecret brings a deleted secret back, without the grants it had;
// [api.Conflict] when its path was taken meanwhile.
func (c *Client) UndeleteSecret(ctx context.Context, id string) (api.UndeletedSecret, error) {
	return admin[api.UndeletedSecret](ctx, c, http.MethodPost, at("/admin/secrets/", id, "/undelete"), nil, nil)
}

// DestroySecret deletes a secret for good, whether it was deleted before or not.
// The answer says what still holds its values.
func (c *Client) DestroySecret(ctx context.Context, id string) (api.DestroyedSecret, error) {
	return admin[api.DestroyedSecret](ctx, c, http.MethodPost, at("/admin/secrets/", id, "/destroy"), nil, nil)
}
