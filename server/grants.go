package server

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
)

func (s *Server) listGrants(ctx context.Context, q *request) ([]api.Grant, error) {
	namespace, err := q.namespace()
	if err != nil {
		return nil, err
	}
	project := q.PathValue("project")
	return pagedBy(s, q, 0,
		func() ([]vault.ProjectGrant, error) { return s.vault.ProjectGrants(ctx, q.By, namespace, project) },
		func(p vault.Page) ([]vault.ProjectGrant, string, error) {
			return s.vault.ProjectGrantsPage(ctx, q.By, namespace, project, p)
		},
		wireGrant)
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

// listPending lists what waits for a decision. With the query parameter wait
// it answers as soon as the list is not the one that the client has: that of
// If-None-Match, else that of now.
func (s *Server) listPending(ctx context.Context, q *request) (int, any, error) {
	status, err := q.query("status")
	if err != nil {
		return 0, nil, err
	}
	if !slices.Contains([]string{"", api.StatusPending, api.StatusApproved, api.StatusDenied, api.StatusExpired}, status) {
		return 0, nil, &vault.InvalidError{Field: "status", Reason: "must be pending, approved, denied or expired"}
	}
	has := q.Header.Get("If-None-Match")
	var list []api.PendingGrant
	var tag string
	err = s.awaitPending(ctx, q, func() (bool, error) {
		if tag != "" { // after a wait, in which an account may have ended
			if err := s.admin(ctx, q); err != nil {
				return true, err
			}
		}
		if list, err = s.pending(ctx, q, status); err != nil {
			return true, err
		}
		tag, err = entityTag(list)
		has = cmp.Or(has, tag)
		return tag != has, err
	})
	if err != nil {
		return 0, nil, err
	}
	q.conn.Header().Set("ETag", tag)
	if tag == q.Header.Get("If-None-Match") {
		return http.StatusNotModified, nil, nil
	}
	return http.StatusOK, list, nil
}

// awaitPending calls look once, or as long as the client is willing to wait.
func (s *Server) awaitPending(ctx context.Context, q *request, look func() (bool, error)) error {
	d, err := q.wait()
	if err != nil {
		return err
	}
	if d == 0 {
		_, err := look()
		return err
	}
	leave, ok := s.waits.Take(q.client.Source.String())
	if !ok {
		return crowded
	}
	defer leave()
	watch, err := s.vault.WatchGrants()
	if err != nil {
		return err
	}
	defer watch.Close()
	q.stay(d)
	return s.await(ctx, d, watch, look)
}

func (s *Server) pending(ctx context.Context, q *request, status string) ([]api.PendingGrant, error) {
	return pagedBy(s, q, 0,
		func() ([]vault.PendingGrant, error) {
			rows, err := s.vault.PendingGrants(ctx, q.By)
			if status != "" {
				rows = slices.DeleteFunc(rows, func(p vault.PendingGrant) bool { return p.Status != status })
			}
			return shown(rows), err
		},
		func(p vault.Page) ([]vault.PendingGrant, string, error) {
			return s.vault.PendingGrantsPage(ctx, q.By, status, p)
		},
		wirePending)
}

// entityTag returns a text that stands for an answer.
func entityTag(answer any) (string, error) {
	text, err := encode(answer)
	sum := sha256.Sum256(text)
	return `"` + hex.EncodeToString(sum[:16]) + `"`, err
}

// grantStatus tells a daemon what became of its agent's request, as soon as it
// is decided if the daemon is willing to wait.
func (s *Server) grantStatus(ctx context.Context, q *request) (api.GrantStatus, error) {
	d, err := q.wait()
	if err != nil {
		return api.GrantStatus{}, err
	}
	leave, ok := s.waits.Take(q.client.Source.String())
	if !ok {
		return api.GrantStatus{}, crowded
	}
	defer leave()
	if leave, ok = s.polls.Take(q.By.ID); !ok {
		return api.GrantStatus{}, crowded
	}
	defer leave()
	id := q.PathValue("id")
	watch, err := s.vault.WatchGrant(q.By, id)
	if err != nil {
		return api.GrantStatus{}, err
	}
	defer watch.Close()
	q.stay(d)
	var p vault.PendingGrant
	err = s.await(ctx, d, watch, func() (bool, error) {
		p, err = s.vault.PendingGrant(ctx, q.By, id)
		return !waits(p), err
	})
	return wireGrantStatus(p), err
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
	a := vault.Approval{Keys: c.In.ApprovedKeys, Remap: c.In.Remap, Pin: c.In.Pin}
	if days := c.In.AutoApprovalDays; days != nil {
		// None at all is not the same as nothing said.
		a.Days = cmp.Or(*days, -1)
	}
	p, err := s.vault.ApproveGrant(ctx, c.By, c.PathValue("id"), a)
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
		Items: wireAll(p.Items, wireItem), Command: wireCommand(p.Command),
	}
}

func wireItem(p vault.Proposal) api.GrantItem {
	return api.GrantItem{EnvVarName: p.Name, KeyPath: p.Path, Kind: p.Kind, AskedKeyPath: p.Asked}
}

func wireGrantStatus(p vault.PendingGrant) api.GrantStatus {
	kind := ""
	if p.Pin {
		kind = api.GrantOfCommand
	}
	return api.GrantStatus{
		Kind: kind, GrantID: p.ID, ProjectName: p.Project, Status: p.Status,
		RequestedKeys: listed(p.Requested), ApprovedKeys: listed(p.Approved), AutoApprovalUntil: wireTime(p.AutoApprovalUntil),
	}
}
