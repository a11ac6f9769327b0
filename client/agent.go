package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// Agents returns all agents.
func (c *Client) Agents(ctx context.Context) ([]api.Agent, error) {
	return admin[[]api.Agent](ctx, c, http.MethodGet, at("/admin/agents"), nil, nil)
}

// CreateAgent registers an agent's public key.
func (c *Client) CreateAgent(ctx context.Context, in api.CreateAgent) (api.CreatedAgent, error) {
	return admin[api.CreatedAgent](ctx, c, http.MethodPost, at("/admin/agents"), nil, in)
}

// DeleteAgent deletes an agent and what it may do.
func (c *Client) DeleteAgent(ctx context.Context, namespace, agentID string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/agents/", agentID), inNamespace(namespace), nil)
}
