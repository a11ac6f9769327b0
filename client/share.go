package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// SecretShares returns the further namespaces a secret stands in, by name.
func (c *Client) SecretShares(ctx context.Context, id string) ([]api.SecretShare, error) {
	return admin[[]api.SecretShare](ctx, c, http.MethodGet, at("/admin/secrets/", id, "/shares"), nil, nil)
}

// ShareSecret puts a secret into a further namespace, which must exist;
// [api.Conflict] when the path is taken there.
func (c *Client) ShareSecret(ctx context.Context, id string, in api.ShareSecret) (api.SecretShare, error) {
	return admin[api.SecretShare](ctx, c, http.MethodPost, at("/admin/secrets/", id, "/shares"), nil, in)
}

// UnshareSecret takes a secret out of a namespace it was shared into, with the
// grants of it there.
func (c *Client) UnshareSecret(ctx context.Context, id, namespace string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/secrets/", id, "/shares/", namespace), nil, nil)
}
