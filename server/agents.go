package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listAgents(ctx context.Context, q *request) ([]api.Agent, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	return pagedBy(s, q, 0,
		func() ([]vault.Agent, error) { return s.vault.Agents(ctx, q.By, namespace) },
		func(p vault.Page) ([]vault.Agent, string, error) { return s.vault.AgentsPage(ctx, q.By, namespace, p) },
		wireAgent)
}

func (s *Server) createAgent(ctx context.Context, c call[api.CreateAgent]) (api.CreatedAgent, error) {
	a, err := s.vault.CreateAgent(ctx, c.By, vault.NewAgent{
		AgentID: c.In.AgentID, Namespace: c.In.Namespace, Key: c.In.AgentPub, Description: c.In.Description,
	})
	return api.CreatedAgent{ID: a.ID, AgentID: a.AgentID, Namespace: a.Namespace}, err
}

func (s *Server) deleteAgent(ctx context.Context, q *request) (api.Deleted, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.Deleted{}, err
	}
	return api.Deleted{Deleted: true}, s.vault.DeleteAgent(ctx, q.By, namespace, q.PathValue("agent_id"))
}

func wireAgent(a vault.Agent) api.Agent {
	return api.Agent{
		ID: a.ID, AgentID: a.AgentID, Description: a.Description, Namespace: a.Namespace,
		CreatedAt: api.NewTime(a.Created), HasPubkey: len(a.Key) > 0, Frozen: a.Frozen,
	}
}
