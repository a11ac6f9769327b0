package redteam

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

var approvalMoves = moves{
	"harmless-name":    harmlessName,
	"grown-request":    grownRequest,
	"asked-again":      askedAgain,
	"handed-code":      handedCode,
	"admin-everything": adminEverything,
	"erase-traces":     eraseTraces,
}

// A waiting is a request as whoever decides it sees it.
type waiting struct {
	ID        string
	Status    string
	AgentID   string   `json:"agent_id"`
	Project   string   `json:"project_name"`
	Requested []string `json:"requested_keys"`
	Items     []struct {
		Variable string `json:"env_var_name"`
		Path     string `json:"key_path"`
	}
}

// requests returns what was asked for a project, newest first.
func requests(t *testing.T, s *servertest.Server, project string) (list []waiting) {
	t.Helper()
	var all []waiting
	s.Admin(t, http.MethodGet, "/admin/pending-grants", nil, &all)
	for _, w := range all {
		if w.Project == project {
			list = append(list, w)
		}
	}
	return list
}

// A name says little, and what it would get all.
func harmlessName(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	a, app := s.agent(t), named("app")
	id := s.Secret(t, named("prod/root"), canary())
	var secret struct {
		Path string `json:"key_path"`
	}
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
	s.Admin(t, http.MethodPost, "/admin/projects/"+app+"/grants", object{"secret_id": id, "env_var_name": "THEME_COLOUR"}, nil)
	if !refused(t, a.Send(t, a.Discovery(app, "THEME_COLOUR"))) {
		return open
	}
	list := requests(t, s.Server, app)
	if len(list) != 1 || list[0].AgentID != a.ID || len(list[0].Items) != 1 {
		t.Fatalf("%+v", list)
	}
	shown := list[0].Items[0]
	return unless(shown.Variable != "THEME_COLOUR" || shown.Path != secret.Path, stopped)
}

// What somebody reads is what he approves.
func grownRequest(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	a, app := s.agent(t), named("app")
	first, _, harmless := s.secret(t)
	second, _, value := s.secret(t)
	a.Send(t, a.Discovery(app, first))
	read := requests(t, s.Server, app)
	if len(read) != 1 {
		t.Fatalf("%+v", read)
	}
	a.Send(t, a.Discovery(app, first, second))
	s.Admin(t, http.MethodPost, "/admin/pending-grants/"+read[0].ID+"/approve", object{}, nil)
	token := a.Discover(t, app, first).Token
	got := a.Values(t, app, token)
	if got[first] != harmless {
		t.Fatal("what was approved is not delivered")
	}
	if got[second] == value {
		return open
	}
	// What was added waits by itself.
	return unless(!refused(t, a.Send(t, a.Discovery(app, first, second))), stopped)
}

func askedAgain(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	a, app := s.agent(t), named("app")
	variable, _, _ := s.secret(t)
	a.Send(t, a.Discovery(app, variable))
	list := requests(t, s.Server, app)
	s.Admin(t, http.MethodPost, "/admin/pending-grants/"+list[0].ID+"/deny", nil, nil)
	for range 3 {
		if !refused(t, a.Send(t, a.Discovery(app, variable))) {
			return open
		}
	}
	for _, w := range requests(t, s.Server, app) {
		if w.Status == "pending" {
			return open
		}
	}
	// Once it is deleted, it would be seen here.
	s.Admin(t, http.MethodDelete, "/admin/pending-grants/"+list[0].ID, nil, nil)
	a.Send(t, a.Discovery(app, variable))
	if list := requests(t, s.Server, app); len(list) != 1 || list[0].Status != "pending" {
		t.Fatalf("%+v", list)
	}
	return stopped
}

// An administrator approves the code of somebody else's log-in.
func handedCode(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	// Of an agent whose key was proved nothing else is approved by mistake.
	known := s.Host(t, named("bot"))
	ok(t, known.Begin(t, known.Init()))
	approveDevice(t, s.Server, known)
	thief := s.Host(t, known.ID)
	ok(t, thief.Begin(t, thief.Init()))
	if !refused(t, s.TryAdmin(t, http.MethodPost, "/admin/web/device/approve", object{"user_code": thief.UserCode, "agent_id": known.ID})) {
		return open
	}
	// Of another, it is.
	victim, app := s.agent(t), named("app")
	variable, _, value := s.secret(t)
	token := victim.Obtain(t, app, variable).Token
	if !fetched(t, victim, app, token, value) {
		t.Fatal("the agent gets nothing to begin with")
	}
	plain := *victim
	plain.Key, plain.Attestation = thief.Key, thief.Attestation
	plain.Login(t)
	ok(t, plain.Attest(t))
	if !refused(t, plain.Send(t, plain.Discovery(app, variable))) {
		return open
	}
	if fetched(t, victim, app, token, value) {
		return stopped // the agent did not even notice
	}
	return limited
}

func approveDevice(t *testing.T, s *servertest.Server, h *servertest.Host) {
	t.Helper()
	s.Admin(t, http.MethodPost, "/admin/web/device/approve", object{"user_code": h.UserCode, "agent_id": h.ID}, nil)
}

// The holder of the admin token reads, approves, and hands out.
func adminEverything(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	a, app := s.agent(t), named("app")
	variable, id, value := s.secret(t)
	var secret struct{ Value string }
	s.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
	got := a.Values(t, app, a.Obtain(t, app, variable).Token)
	if secret.Value != value || got[variable] != value {
		return stopped
	}
	rows := s.trail(t, "read_secret")
	if !slices.ContainsFunc(rows, func(r record) bool {
		return r.Actor.Kind == "admin" && r.Actor.Auth == "admin-token" && len(r.Resources) == 1 && r.Resources[0].Path == id
	}) {
		t.Fatalf("what the token did is not recorded: %+v", rows)
	}
	return open
}

// What an administrator deletes is gone, and that it was there and was deleted is
// not. There is no route that changes the trail.
func eraseTraces(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	a, app, _, id, _ := s.entrusted(t)
	list := requests(t, s.Server, app)
	before := numbers(t, s)
	for _, path := range []string{
		"/admin/pending-grants/" + list[0].ID, "/admin/projects/" + app, "/admin/secrets/" + id, "/admin/devices/" + a.ID, "/admin/agents/" + a.ID,
	} {
		s.Admin(t, http.MethodDelete, path, nil, nil)
	}
	s.Admin(t, http.MethodPost, "/admin/secrets/"+id+"/destroy", nil, nil)
	for _, path := range []string{"/admin/audit-logs", "/admin/audit-logs/1", "/admin/audit", "/admin/audit/export", "/admin/audit/head"} {
		for _, method := range []string{http.MethodDelete, http.MethodPut, http.MethodPatch, http.MethodPost} {
			if !refused(t, s.TryAdmin(t, method, path, object{})) {
				return open
			}
		}
	}
	after := numbers(t, s)
	for seq, row := range before {
		if after[seq] != row {
			return open
		}
	}
	if len(after) < len(before)+6 {
		t.Fatalf("%d records, then %d", len(before), len(after))
	}
	s.stop(t)
	if out, err := s.cortex("verify-audit", "--db", s.file()); err != nil || !strings.Contains(out, "intact") {
		t.Fatalf("%v\n%s", err, out)
	}
	return stopped
}

// numbers returns the whole trail, by number.
func numbers(t *testing.T, s *site) map[int]string {
	t.Helper()
	var rows []map[string]any
	s.Admin(t, http.MethodGet, "/admin/audit-logs", nil, &rows)
	all := map[int]string{}
	for _, row := range rows {
		all[int(row["seq"].(float64))] = string(marshal(row))
	}
	return all
}

// fetched reports whether a fetch of an agent brings a value.
func fetched(t *testing.T, a *servertest.Agent, project, token, value string) bool {
	t.Helper()
	answer := a.Fetch(t, project, token)
	return !refused(t, answer) && strings.Contains(string(answer.Body), value)
}
