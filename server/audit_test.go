package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// auditRows returns the rows of an action, newest first.
func auditRows(t *testing.T, s *servertest.Server, action string) []map[string]any {
	t.Helper()
	var list, found []map[string]any
	s.Admin(t, "GET", "/admin/audit-logs", nil, &list)
	for _, row := range list {
		if row["action"] == action {
			found = append(found, row)
		}
	}
	return found
}

func TestAuditLog(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	answer := s.Do(t, servertest.Request{Method: "GET", Path: "/project/secrets/app", Header: http.Header{
		"Authorization":                 {"Bearer " + token},
		"X-Daemon-Attestation":          {a.Sign("GET", "/project/secrets/app", nil, tokenID(token))},
		"X-Cortex-Caller-Pid":           {"4242"},
		"X-Cortex-Caller-Cwd":           {"/srv/app"},
		"X-Cortex-Caller-Binary-Sha256": {"cafe"},
		"X-Cortex-Caller-Argv-Hash":     {"beef"},
		"X-Cortex-Caller-Git-Commit":    {"f00d"},
		"X-Cortex-Hostname":             {"bücher"},
		"X-Cortex-Os":                   {"linux/x86_64"},
		"X-Forwarded-For":               {"203.0.113.9"},
	}})
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	rows := auditRows(t, s, "get_secrets")
	if len(rows) != 1 {
		t.Fatalf("%v", rows)
	}
	row := rows[0]
	wantMembers(t, row, "id", "agent_id", "project_name", "action", "resource_path", "status", "timestamp", "caller_pid",
		"caller_binary_sha256", "caller_argv_hash", "caller_cwd", "caller_git_commit", "source_ip", "hostname", "os", "prev_hash", "entry_mac", "seq", "actor", "resources")
	for name, want := range map[string]any{
		"agent_id": "bot", "project_name": "app", "status": "success", "caller_pid": 4242.0, "caller_cwd": "/srv/app",
		"caller_binary_sha256": "cafe", "caller_argv_hash": "beef", "caller_git_commit": "f00d", "hostname": "bücher",
		"os": "linux/x86_64", "source_ip": "127.0.0.1",
	} {
		if row[name] != want {
			t.Errorf("%s is %v, want %v", name, row[name], want)
		}
	}
	for _, name := range []string{"prev_hash", "entry_mac"} {
		if text, _ := row[name].(string); len(text) != 64 {
			t.Errorf("%s is %v", name, row[name])
		}
	}
	for _, action := range []string{"discover", "create_secret", "create_agent", "device_authorize", "device_approve", "device_token_issue", "daemon_attest", "pending_grant_approve", "discover_pending_new", "create_project_grant"} {
		if len(auditRows(t, s, action)) == 0 {
			t.Errorf("no %s is recorded", action)
		}
	}
	report, err := s.Vault.VerifyAudit(t.Context())
	if err != nil || report.Broken != nil {
		t.Errorf("%+v, %v", report, err)
	}
}

func TestAuditLimit(t *testing.T) {
	s := servertest.New(t)
	s.Secret(t, "a", "x")
	s.Secret(t, "b", "x")
	var list []api.AuditRow
	if s.Admin(t, "GET", "/admin/audit-logs?limit=1", nil, &list); len(list) != 1 || list[0].Action != "create_secret" || *list[0].ResourcePath != "b" {
		t.Errorf("%+v", list)
	}
	for _, limit := range []string{"0", "-1", "1001", "x", "1&limit=2", "%zz"} {
		wantError(t, s.TryAdmin(t, "GET", "/admin/audit-logs?limit="+limit, nil), http.StatusBadRequest, api.InvalidRequest)
	}
}

// Reading a value is recorded, and so is failing to log in.
func TestAuditRecordsReadsAndFailures(t *testing.T) {
	s := servertest.New(t)
	id := s.Secret(t, "a", "x")
	readSecret(t, s, id)
	if n := len(auditRows(t, s, "read_secret")); n != 1 {
		t.Errorf("%d reads recorded", n)
	}
	wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: http.Header{"X-Admin-Token": {"wrong-wrong-wrong"}}}), http.StatusUnauthorized, api.Unauthorized)
	if rows := auditRows(t, s, "admin_login"); len(rows) != 1 || rows[0]["status"] == "success" || rows[0]["source_ip"] != "127.0.0.1" {
		t.Errorf("%v", rows)
	}
}
