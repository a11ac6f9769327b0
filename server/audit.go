package server

import (
	"context"
	"net/url"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
)

// auditLog answers with a part of the trail, newest first, always: whole it
// would be without bounds.
func (s *Server) auditLog(ctx context.Context, q *request) ([]api.AuditRow, error) {
	p, err := s.part(q)
	if err != nil {
		return nil, err
	}
	a := vault.AuditQuery{Limit: p.Limit, After: p.After}
	if p.whole {
		a.Limit = maxAudit
	}
	if err := q.auditQuery(&a); err != nil {
		return nil, err
	}
	rows, next, err := s.vault.AuditLog(ctx, q.By, a)
	if err != nil {
		return nil, err
	}
	return wireAll(rows, wireAudit), s.next(q, p, next)
}

// auditQuery reads what the query may say of the rows to be picked. What it
// does not know it refuses: who misspells a filter would take everything for
// all there is.
func (q *request) auditQuery(a *vault.AuditQuery) (err error) {
	if err := q.only("project", "agent", "action", "status", "since", "until", "limit", "cursor"); err != nil {
		return err
	}
	for name, into := range map[string]*string{"project": &a.Project, "agent": &a.Agent, "action": &a.Action, "status": &a.Status} {
		if *into, err = q.query(name); err != nil {
			return err
		}
	}
	a.Since, a.Until, err = q.span()
	return err
}

// span returns the query parameters since and until; zero for those that are not
// there.
func (q *request) span() (since, until time.Time, err error) {
	if since, err = q.time("since"); err == nil {
		until, err = q.time("until")
	}
	return since, until, err
}

func (q *request) time(name string) (time.Time, error) {
	text, err := q.query(name)
	if err != nil || text == "" {
		return time.Time{}, err
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &vault.InvalidError{Field: name, Reason: "must be a time such as 2026-04-27T18:40:00Z"}
	}
	return t, nil
}

// only refuses query parameters of other names.
func (q *request) only(names ...string) error {
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return errQuery
	}
	for name := range values {
		if !slices.Contains(names, name) {
			return &vault.InvalidError{Field: name, Reason: "is no parameter of this route"}
		}
	}
	return nil
}

func wireAudit(r vault.AuditRow) api.AuditRow {
	c := r.Caller
	return api.AuditRow{
		ID: r.ID, AgentID: r.AgentID, ProjectName: r.Project, Action: r.Action, ResourcePath: r.Resource,
		Status: r.Status, Timestamp: api.NewTime(r.Time),
		CallerPID: c.PID, CallerBinarySHA256: c.BinarySHA256, CallerArgvHash: c.ArgvHash, CallerCWD: c.CWD,
		CallerGitCommit: c.GitCommit, SourceIP: c.SourceIP, Hostname: c.Hostname, OS: c.OS,
		PrevHash: r.PrevHash, EntryMAC: r.MAC, Seq: r.Seq,
		Actor:     &api.AuditActor{Kind: r.Actor.Kind, ID: r.Actor.ID, Namespace: r.Actor.Namespace, Auth: r.Actor.Auth, Name: r.By},
		Resources: wireAll(r.Resources, wireResource),
	}
}

func wireResource(r audit.Resource) api.AuditResource {
	return api.AuditResource{Path: r.Path, Decision: r.Decision}
}
