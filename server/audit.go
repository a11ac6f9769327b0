package server

import (
	"context"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
)

func (s *Server) auditLog(ctx context.Context, q *request) ([]api.AuditRow, error) {
	limit, err := q.limit(maxAudit)
	if err != nil {
		return nil, err
	}
	rows, err := s.vault.AuditLog(ctx, q.By, vault.AuditQuery{Limit: limit})
	return wireAll(rows, wireAudit), err
}

// limit returns the query parameter of that name, most if there is none.
func (q *request) limit(most int) (int, error) {
	text, err := q.query("limit")
	if err != nil || text == "" {
		return most, err
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, &vault.InvalidError{Field: "limit", Reason: "must be a number from 1 to " + strconv.Itoa(most)}
	}
	return n, nil
}

func wireAudit(r vault.AuditRow) api.AuditRow {
	c := r.Caller
	return api.AuditRow{
		ID: r.ID, AgentID: r.AgentID, ProjectName: r.Project, Action: r.Action, ResourcePath: r.Resource,
		Status: r.Status, Timestamp: api.NewTime(r.Time),
		CallerPID: c.PID, CallerBinarySHA256: c.BinarySHA256, CallerArgvHash: c.ArgvHash, CallerCWD: c.CWD,
		CallerGitCommit: c.GitCommit, SourceIP: c.SourceIP, Hostname: c.Hostname, OS: c.OS,
		PrevHash: r.PrevHash, EntryMAC: r.MAC, Seq: r.Seq,
		Actor:     &api.AuditActor{Kind: r.Actor.Kind, ID: r.Actor.ID, Namespace: r.Actor.Namespace, Auth: r.Actor.Auth},
		Resources: wireAll(r.Resources, wireResource),
	}
}

func wireResource(r audit.Resource) api.AuditResource {
	return api.AuditResource{Path: r.Path, Decision: r.Decision}
}
