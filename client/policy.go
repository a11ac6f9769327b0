package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Policies returns all policies.
func (c *Client) Policies(ctx context.Context) ([]api.Policy, error) {
	return admin[[]api.Policy](ctx, c, http.MethodGet, at("/admin/policies"), nil, nil)
}

// CreatePolicy adds a policy.
func (c *Client) CreatePolicy(ctx context.Context, in api.CreatePolicy) (api.CreatedPolicy, error) {
	return admin[api.CreatedPolicy](ctx, c, http.MethodPost, at("/admin/policies"), nil, in)
}

// DeletePolicy deletes a policy.
func (c *Client) DeletePolicy(ctx context.Context, id string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/policies/", id), nil, nil)
}
