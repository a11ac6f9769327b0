package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Namespaces returns all namespaces by name.
func (c *Client) Namespaces(ctx context.Context) ([]api.Namespace, error) {
	return admin[[]api.Namespace](ctx, c, http.MethodGet, at("/admin/namespaces"), nil, nil)
}

// CreateNamespace adds a namespace.
func (c *Client) CreateNamespace(ctx context.Context, in api.CreateNamespace) (api.CreatedNamespace, error) {
	return admin[api.CreatedNamespace](ctx, c, http.MethodPost, at("/admin/namespaces"), nil, in)
}

// DeleteNamespace deletes a namespace; [api.Conflict] while it is in use.
func (c *Client) DeleteNamespace(ctx context.Context, name string) (api.DeletedNamespace, error) {
	return admin[api.DeletedNamespace](ctx, c, http.MethodDelete, at("/admin/namespaces/", name), nil, nil)
}
