package server

import (
	"context"
	"math"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
)

func (s *Server) listProjects(ctx context.Context, q *request) ([]api.Project, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	return pagedBy(s, q, 0,
		func() ([]vault.Project, error) { return s.vault.Projects(ctx, q.By, namespace) },
		func(p vault.Page) ([]vault.Project, string, error) {
			return s.vault.ProjectsPage(ctx, q.By, namespace, p)
		},
		wireProject)
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

// callerProof returns what came with the headers that describe the caller, nil for
// nothing.
func (q *request) callerProof() *vault.CallerProof {
	signature := q.Header.Get("X-Cortex-Caller-Proof")
	if signature == "" {
		return nil
	}
	return &vault.CallerProof{Digest: proof.CallerDigest(q.Header.Get), Signature: signature}
}

// projectSecrets hands out the values of a project.
func (s *Server) projectSecrets(ctx context.Context, q *request) (fetched, error) {
	result, err := s.vault.FetchSecrets(ctx, q.client.ActingFor(q.Header).Origin, vault.FetchRequest{
		Project: q.PathValue("project"), Bearer: q.bearer, Attestation: q.attestation, Caller: q.callerProof(),
	})
	return fetched(result), s.guard.Failed(q.client, err)
}

// projectConfig hands out a template with the values in it.
func (s *Server) projectConfig(ctx context.Context, q *request) (rendered, error) {
	text, err := s.vault.FetchConfig(ctx, q.client.ActingFor(q.Header).Origin, vault.ConfigRequest{
		Project: q.PathValue("project"), Template: q.PathValue("template"), Bearer: q.bearer, Attestation: q.attestation, Caller: q.callerProof(),
	})
	return rendered{text}, s.guard.Failed(q.client, err)
}

// secretsFor is projectSecrets for a command that the daemon says.
func (s *Server) secretsFor(ctx context.Context, c call[api.ForCommand]) (fetched, error) {
	command, err := commandOf(c.In.Command)
	if err != nil {
		return fetched{}, err
	}
	result, err := s.vault.FetchSecrets(ctx, c.client.ActingFor(c.Header).Origin, vault.FetchRequest{
		Project: c.PathValue("project"), Bearer: c.bearer, Attestation: c.attestation, Caller: c.callerProof(), Body: c.raw, Command: command,
	})
	return fetched(result), s.guard.Failed(c.client, err)
}

// configFor is projectConfig for a command, or a file on a disk, that the daemon says.
func (s *Server) configFor(ctx context.Context, c call[api.ForConfig]) (rendered, error) {
	command, err := commandOf(c.In.Command)
	if err != nil {
		return rendered{}, err
	}
	exposed := ""
	if c.In.Path != nil {
		if exposed = *c.In.Path; exposed == "" {
			return rendered{}, &vault.InvalidError{Field: "path", Reason: "is empty"}
		}
	}
	text, err := s.vault.FetchConfig(ctx, c.client.ActingFor(c.Header).Origin, vault.ConfigRequest{
		Project: c.PathValue("project"), Template: c.PathValue("template"), Bearer: c.bearer, Attestation: c.attestation,
		Caller: c.callerProof(), Body: c.raw, Command: command, Exposed: exposed,
	})
	return rendered{text}, s.guard.Failed(c.client, err)
}

func (s *Server) projectSettings(ctx context.Context, q *request) (api.ProjectSettings, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.ProjectSettings{}, err
	}
	row, err := s.vault.ProjectSettings(ctx, q.By, namespace, q.PathValue("project"))
	return wireSettings(row), err
}

func (s *Server) updateProject(ctx context.Context, c call[api.UpdateProject]) (api.ProjectSettings, error) {
	namespace, err := c.namespace()
	if err != nil {
		return api.ProjectSettings{}, err
	}
	var change vault.ProjectChange
	if n := c.In.TokenTTLSeconds; n != nil {
		change.TokenTTL = new(seconds(*n))
	}
	if c.In.Masking != nil {
		change.Masking = new(vault.Masking(*c.In.Masking))
	}
	if c.In.OnFreeze != nil {
		change.OnFreeze = new(vault.OnFreeze(*c.In.OnFreeze))
	}
	if n := c.In.OfflineTTLSeconds; n != nil {
		change.OfflineTTL = new(seconds(*n))
	}
	if c.In.Commands != nil {
		change.Commands = new(vault.Commands(*c.In.Commands))
	}
	if c.In.TemplateFiles != nil {
		change.TemplateFiles = new(vault.TemplateFiles(*c.In.TemplateFiles))
	}
	row, err := s.vault.UpdateProject(ctx, c.By, namespace, c.PathValue("project"), change)
	return wireSettings(row), err
}

// seconds returns so many. Whatever does not fit a duration is far beyond the bounds
// anyway.
func seconds(n int64) time.Duration {
	return time.Duration(max(-1, min(n, math.MaxInt32))) * time.Second
}

func (s *Server) deleteProject(ctx context.Context, q *request) (api.Deleted, error) {
	namespace, err := q.namespace()
	if err != nil {
		return api.Deleted{}, err
	}
	return api.Deleted{Deleted: true}, s.vault.DeleteProject(ctx, q.By, namespace, q.PathValue("project"))
}

func wireSettings(s vault.ProjectSettings) api.ProjectSettings {
	return api.ProjectSettings{
		ProjectName: s.Project, Namespace: s.Namespace, TokenTTLSeconds: int64(s.TokenTTL.Seconds()), Masking: string(s.Masking), OnFreeze: string(s.OnFreeze),
		OfflineTTLSeconds: int64(s.OfflineTTL.Seconds()), Commands: string(s.Commands), TemplateFiles: string(s.TemplateFiles),
	}
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
