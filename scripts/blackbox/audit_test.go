package blackbox

import (
	"encoding/hex"
	"net/http"
	"testing"
)

// audited returns the newest record of an action about a project.
func (v *vault) audited(action, project string) object {
	v.t.Helper()
	for _, row := range v.trail() {
		if row["action"] == action && row["project_name"] == project {
			return row
		}
	}
	v.t.Fatalf("no %s of %s", action, project)
	return nil
}

// trail returns the newest records, newest first.
func (v *vault) trail() (rows []object) {
	v.t.Helper()
	v.admin("GET", "/admin/audit-logs", nil).want(http.StatusOK).into(&rows)
	return rows
}

func TestDiscoverIsAudited(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		s.obtain(s.app, s.env())
		row := v.audited("discover", s.app)
		has(v.t, row, object{"agent_id": s.id, "resource_path": s.app, "status": "success"})
		for _, member := range []string{
			"id", "agent_id", "project_name", "action", "resource_path", "status", "timestamp", "caller_pid", "caller_binary_sha256", "caller_argv_hash",
			"caller_cwd", "caller_git_commit", "source_ip", "hostname", "os", "prev_hash", "entry_mac",
		} {
			if _, ok := row[member]; !ok {
				v.t.Errorf("no %s in %v", member, row)
			}
		}
	})
}

func TestAuditRowsAreChained(t *testing.T) {
	each(t, func(v *vault) {
		v.keep(v.named("k"), "x")
		rows := v.trail()
		if len(rows) < 2 {
			v.t.Fatalf("%d rows", len(rows))
		}
		seen := map[any]bool{}
		for _, row := range rows {
			for _, member := range []string{"prev_hash", "entry_mac"} {
				text, ok := row[member].(string)
				if _, err := hex.DecodeString(text); !ok || err != nil || seen[text] || len(text) != 64 && row["seq"] != 1.0 {
					v.t.Errorf("%s of %v", member, row)
				}
				seen[text] = true
			}
		}
	})
}
