package server

import (
	"context"
	"slices"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listGrants(ctx context.Context, q *request) ([]api.Grant, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	rows, err := s.vault.ProjectGrants(ctx, q.By, namespace, q.PathValue("project"))
	if err != nil {
		return nil, err
	}
	return paged(s, q, rows, 0, grantAt, wireGrant)
}

func (s *Server) createGrant(ctx context.Context, c call[api.CreateGrant]) (api.CreatedGrant, error) {
	namespace, err := c.namespace()
	if err != nil {
		return api.CreatedGrant{}, err
	}
	g, err := s.vault.CreateProjectGrant(ctx, c.By, vault.NewProjectGrant{
		Project: c.PathValue("project"), SecretID: c.In.SecretID, Namespace: namespace, Pointer: c.In.JSONPointer, EnvVar: c.In.EnvVarName,
	})
	return api.CreatedGrant{
		ID: g.ID, ProjectName: g.Project, SecretID: g.SecretID, SecretKeyPath: g.SecretPath, EnvVarName: g.EnvVar,
		JSONPointer: g.Pointer,
	}, err
}

func (s *Server) deleteGrant(ctx context.Context, q *request) (api.DeletedID, error) {
	id := q.PathValue("id")
	return api.DeletedID{Deleted: true, ID: id}, s.vault.DeleteProjectGrant(ctx, q.By, q.PathValue("project"), id)
}

// wireGrant leaves the secret's id empty, which lists always did.
func wireGrant(g vault.ProjectGrant) api.Grant {
	return api.Grant{
		ID: g.ID, ProjectName: g.Project, SecretKeyPath: g.SecretPath, SecretNamespace: g.Namespace,
		EnvVarName: g.Variable, GrantedBy: g.GrantedBy, GrantedAt: api.NewTime(g.GrantedAt), JSONPointer: g.Pointer,
	}
}

func (s *Server) listPending(ctx context.Context, q *request) ([]api.PendingGrant, error) {
	status, err := q.query("status")
	if err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", api.StatusPending, api.StatusApproved, api.StatusDenied}, status) {
		return nil, &vault.InvalidError{Field: "status", Reason: "must be pending, approved or denied"}
	}
	p, err := s.part(q)
	if err != nil {
		return nil, err
	}
	rows, err := s.vault.PendingGrants(ctx, q.By)
	if err != nil {
		return nil, err
	}
	if status != "" {
		rows = slices.DeleteFunc(rows, func(p vault.PendingGrant) bool { return p.Status != status })
	}
	if p.whole {
		return wireAll(shown(rows), wirePending), nil
	}
	return paged(s, q, rows, 0, pendingAt, wirePending)
}

// shown cuts a list of requests that has the newest first. What still waits for
// a decision is never left out for what does not.
func shown(rows []vault.PendingGrant) []vault.PendingGrant {
	room := maxPending
	for _, p := range rows {
		if waits(p) {
			room--
		}
	}
	kept := rows[:0]
	for _, p := range rows {
		if !waits(p) {
			if room <= 0 {
				continue
			}
			room--
		}
		kept = append(kept, p)
	}
	return newest(kept, maxPending)
}

func waits(p vault.PendingGrant) bool { return p.Status == api.StatusPending }

func (s *Server) approvePending(ctx context.Context, c call[api.ApproveGrant]) (api.ApprovedGrant, error) {
	p, err := s.vault.ApproveGrant(ctx, c.By, c.PathValue("id"), c.In.ApprovedKeys)
	if err != nil {
		return api.ApprovedGrant{}, err
	}
	out := api.ApprovedGrant{Approved: true, ID: p.ID, ApprovedKeys: listed(p.Approved)}
	if p.AutoApprovalUntil != nil {
		out.AutoApprovalUntil = api.NewTime(*p.AutoApprovalUntil)
	}
	return out, nil
}

func (s *Server) denyPending(ctx context.Context, q *request) (api.DeniedGrant, error) {
	id := q.PathValue("id")
	return api.DeniedGrant{Denied: true, ID: id}, s.vault.DenyGrant(ctx, q.By, id)
}

func (s *Server) deletePending(ctx context.Context, q *request) (api.DeletedID, error) {
	id := q.PathValue("id")
	return api.DeletedID{Deleted: true, ID: id}, s.vault.DeleteGrant(ctx, q.By, id)
}

func wirePending(p vault.PendingGrant) api.PendingGrant {
	return api.PendingGrant{
		ID: p.ID, AgentID: p.AgentID, ProjectName: p.Project, Namespace: p.Namespace,
		RequestedKeys: listed(p.Requested), ApprovedKeys: listed(p.Approved), Status: p.Status,
		RequestedAt: api.NewTime(p.RequestedAt), DecidedAt: wireTime(p.DecidedAt), DecidedBy: p.DecidedBy,
		AutoApprovalUntil: wireTime(p.AutoApprovalUntil), SourceIP: p.Source,
		Items: wireAll(p.Items, wireItem),
	}
}

func wireItem(p vault.Proposal) api.GrantItem {
	return api.GrantItem{EnvVarName: p.Name, KeyPath: p.Path, Kind: p.Kind}
}
