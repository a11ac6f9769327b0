package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listProjects(ctx context.Context, q *request) ([]api.Project, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	rows, err := s.vault.Projects(ctx, q.By, namespace)
	return wireAll(rows, wireProject), err
}

func (s *Server) revokeProject(ctx context.Context, q *request) (api.RevokedProject, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.RevokedProject{}, err
	}
	name := q.PathValue("project")
	already, err := s.vault.RevokeProject(ctx, q.By, namespace, name)
	return api.RevokedProject{Revoked: true, ProjectName: name, AlreadyRevoked: already}, err
}

// projectSecrets hands out the values of a project.
func (s *Server) projectSecrets(ctx context.Context, q *request) (fetched, error) {
	result, err := s.vault.FetchSecrets(ctx, q.client.ActingFor(q.Header).Origin, vault.FetchRequest{
		Project: q.PathValue("project"), Bearer: q.bearer, Attestation: q.attestation,
	})
	return fetched(result), s.guard.Failed(q.client, err)
}

func wireProject(p vault.Project) api.Project {
	mappings := p.Mappings
	if mappings == nil {
		mappings = map[string]string{}
	}
	return api.Project{
		ID: p.ID, ProjectName: p.Name, AgentID: p.Agent, EnvMappings: mappings, Namespace: p.Namespace, Scope: listed(p.Scope),
		CreatedAt: api.NewTime(p.Created), TokenExpiresAt: wireTime(p.TokenExpires), TokenRevokedAt: wireTime(p.TokenRevoked),
		TokenStatus: p.Status,
	}
}
