package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Agents returns the agents of a namespace, or all if it is empty.
func (c *Client) Agents(ctx context.Context, namespace string) ([]api.Agent, error) {
	return admin[[]api.Agent](ctx, c, http.MethodGet, at("/admin/agents"), inNamespace(namespace), nil)
}

// CreateAgent registers an agent's public key.
func (c *Client) CreateAgent(ctx context.Context, in api.CreateAgent) (api.CreatedAgent, error) {
	return admin[api.CreatedAgent](ctx, c, http.MethodPost, at("/admin/agents"), nil, in)
}

// DeleteAgent deletes an agent and what it may do. The namespace may be empty
// where the id stands in one only.
func (c *Client) DeleteAgent(ctx context.Context, namespace, agentID string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/agents/", agentID), inNamespace(namespace), nil)
}
