package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listPolicies(ctx context.Context, q *request) ([]api.Policy, error) {
	return pagedBy(s, q, 0,
		func() ([]vault.Policy, error) { return s.vault.Policies(ctx, q.By) },
		func(p vault.Page) ([]vault.Policy, string, error) { return s.vault.PoliciesPage(ctx, q.By, p) },
		wirePolicy)
}

func (s *Server) createPolicy(ctx context.Context, c call[api.CreatePolicy]) (api.CreatedPolicy, error) {
	p, err := s.vault.CreatePolicy(ctx, c.By, vault.NewPolicy{
		Name: c.In.PolicyName, AgentPattern: c.In.AgentPattern, Namespace: c.In.Namespace, Allowed: c.In.AllowedPaths, Denied: c.In.DeniedPaths,
	})
	return api.CreatedPolicy{ID: p.ID, PolicyName: p.Name}, err
}

func (s *Server) deletePolicy(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DeletePolicy(ctx, q.By, q.PathValue("id"))
}

func wirePolicy(p vault.Policy) api.Policy {
	return api.Policy{
		ID: p.ID, PolicyName: p.Name, AgentPattern: p.AgentPattern,
		AllowedPaths: listed(p.Allowed), DeniedPaths: listed(p.Denied), Namespace: p.Namespace, CreatedAt: api.NewTime(p.Created),
	}
}
