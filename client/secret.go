package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Secrets returns the secrets of a namespace, or all if it is empty, by path
// and without their values.
func (c *Client) Secrets(ctx context.Context, namespace string) ([]api.Secret, error) {
	return admin[[]api.Secret](ctx, c, http.MethodGet, at("/admin/secrets"), inNamespace(namespace), nil)
}

// Secret returns one secret with its value. The server records the reading.
func (c *Client) Secret(ctx context.Context, id string) (api.SecretDetail, error) {
	return admin[api.SecretDetail](ctx, c, http.MethodGet, at("/admin/secrets/", id), nil, nil)
}

// CreateSecret stores a new secret; [api.Conflict] when the path is taken.
func (c *Client) CreateSecret(ctx context.Context, in api.CreateSecret) (api.CreatedSecret, error) {
	return admin[api.CreatedSecret](ctx, c, http.MethodPost, at("/admin/secrets"), nil, in)
}

// UpdateSecret changes what in names and leaves the rest.
func (c *Client) UpdateSecret(ctx context.Context, id string, in api.UpdateSecret) (api.Updated, error) {
	return admin[api.Updated](ctx, c, http.MethodPut, at("/admin/secrets/", id), nil, in)
}

// DeleteSecret deletes a secret.
func (c *Client) DeleteSecret(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/secrets/", id), nil, nil)
}
