package server

import (
	"context"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) attest(ctx context.Context, c call[api.AttestRequest]) (api.AttestResponse, error) {
	p, err := attestProof(c.In)
	if err != nil {
		return api.AttestResponse{}, err
	}
	r, err := s.vault.Attest(ctx, c.By, vault.AttestRequest{
		Key: c.In.AttestationPub, BinarySHA256: c.In.BinarySHA256, Version: c.In.DaemonVersion,
		PID: c.In.DaemonPID, UID: c.In.DaemonUID, Hostname: c.In.Hostname, Proof: p,
	})
	return api.AttestResponse{
		SessionID: r.SessionID, ExpiresIn: int64(r.ExpiresIn.Seconds()), AllowlistEnforced: r.AllowlistEnforced,
	}, s.guard.Failed(c.client, err)
}

// attestProof returns what the agent's key signed, nil in the bare form. What is
// neither is refused: a proof that is left out by mistake is not to pass for none.
func attestProof(in api.AttestRequest) (*vault.AttestProof, error) {
	if in.Nonce == nil && in.TS == nil && in.BootID == nil && in.StartedAt == nil && in.AgentProof == nil {
		return nil, nil
	}
	if in.Nonce == nil || in.TS == nil || in.BootID == nil || in.StartedAt == nil || in.AgentProof == nil || in.DaemonPID == nil {
		return nil, &vault.InvalidError{Field: "agent_proof", Reason: "comes with nonce, ts, boot_id, started_at and daemon_pid, or not at all"}
	}
	return &vault.AttestProof{Nonce: *in.Nonce, TS: *in.TS, BootID: *in.BootID, StartedAt: *in.StartedAt, Proof: *in.AgentProof}, nil
}

func (s *Server) listSessions(ctx context.Context, q *request) ([]api.DaemonSession, error) {
	return pagedBy(s, q, maxSessions,
		func() ([]vault.Session, error) { return s.vault.Sessions(ctx, q.By) },
		func(p vault.Page) ([]vault.Session, string, error) { return s.vault.SessionsPage(ctx, q.By, p) },
		wireSession)
}

func (s *Server) revokeSession(ctx context.Context, q *request) (api.DeletedID, error) {
	id := q.PathValue("id")
	return api.DeletedID{Deleted: true, ID: id}, s.vault.RevokeSession(ctx, q.By, id)
}

func (s *Server) listAllowed(ctx context.Context, q *request) ([]api.AllowedDaemon, error) {
	return pagedBy(s, q, 0,
		func() ([]vault.AllowedDaemon, error) { return s.vault.AllowedDaemons(ctx, q.By) },
		func(p vault.Page) ([]vault.AllowedDaemon, string, error) {
			return s.vault.AllowedDaemonsPage(ctx, q.By, p)
		},
		wireAllowed)
}

func (s *Server) allowDaemon(ctx context.Context, c call[api.AllowDaemon]) (api.AllowedDaemonAdded, error) {
	d, err := s.vault.AllowDaemon(ctx, c.By, vault.AllowedDaemon{
		SHA256: c.In.BinarySHA256, Version: c.In.Version, Description: c.In.Description,
		Enabled: c.In.Enabled == nil || *c.In.Enabled,
	})
	return api.AllowedDaemonAdded{BinarySHA256: d.SHA256, Enabled: d.Enabled}, err
}

func (s *Server) disallowDaemon(ctx context.Context, q *request) (api.Deleted, error) {
	return api.Deleted{Deleted: true}, s.vault.DisallowDaemon(ctx, q.By, q.PathValue("sha"))
}

func wireSession(s vault.Session) api.DaemonSession {
	return api.DaemonSession{
		SessionID: s.ID, AgentID: s.AgentID, BinarySHA256: s.BinarySHA256, DaemonVersion: s.Version,
		DaemonPID: s.PID, DaemonUID: s.UID, Hostname: s.Hostname,
		CreatedAt: api.NewTime(s.Created), ExpiresAt: api.NewTime(s.Expires), RevokedAt: wireTime(s.Revoked),
	}
}

func wireAllowed(d vault.AllowedDaemon) api.AllowedDaemon {
	row := api.AllowedDaemon{
		BinarySHA256: d.SHA256, Version: d.Version, Description: d.Description, CreatedAt: api.NewTime(d.Created),
	}
	if d.Enabled {
		row.Enabled = 1
	}
	return row
}
