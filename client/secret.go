package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/cortex-auth/cortex/server/api"
)

// A SecretFilter picks secrets for a list: what is not empty must fit. The zero
// value picks all there are.
type SecretFilter struct {
	Namespace, Type, Tag string
	// Prefix is what the path must begin with.
	Prefix string
	// Deleted picks from those that were deleted, in the place of the others.
	Deleted bool
	// Shared likewise picks from those that are shared into a namespace.
	Shared bool
}

func (f SecretFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"namespace": f.Namespace, "type": f.Type, "tag": f.Tag, "prefix": f.Prefix} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, on := range map[string]bool{"deleted": f.Deleted, "shared": f.Shared} {
		if on {
			q.Set(name, "true")
		}
	}
	return q
}

// Secrets returns the secrets that f picks, by path and without their values.
func (c *Client) Secrets(ctx context.Context, f SecretFilter) ([]api.Secret, error) {
	return admin[[]api.Secret](ctx, c, http.MethodGet, at("/admin/secrets"), f.query(), nil)
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

// DeleteSecret deletes a secret. For 30 days it can be had back.
func (c *Client) DeleteSecret(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/secrets/", id), nil, nil)
}
