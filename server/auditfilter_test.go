package server_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// busy is a server that did a bit of everything, in two namespaces.
func busy(t *testing.T) *servertest.Server {
	t.Helper()
	s := servertest.With(t, servertest.Config{Unlimited: true})
	populate(t, s)
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	for range 3 {
		s.TryAdmin(t, "POST", "/admin/namespaces", map[string]any{"name": "n1"})
		s.TryAdmin(t, "DELETE", "/admin/agents/nobody", nil)
	}
	return s
}

// A filter picks what is like it, whatever the pages.
func TestAuditFilters(t *testing.T) {
	s := busy(t)
	whole, _ := get(t, s, "/admin/audit-logs", "")
	field := func(name string) func(map[string]any, string) bool {
		return func(row map[string]any, want string) bool { return row[name] == want }
	}
	for _, c := range []struct {
		query string
		picks func(map[string]any) bool
	}{
		{"", func(map[string]any) bool { return true }},
		{"project=app", func(r map[string]any) bool { return field("project_name")(r, "app") }},
		{"agent=agent-1", func(r map[string]any) bool { return field("agent_id")(r, "agent-1") }},
		{"action=create_secret", func(r map[string]any) bool { return field("action")(r, "create_secret") }},
		{"status=pending", func(r map[string]any) bool { return field("status")(r, "pending") }},
		{"status=refused", func(r map[string]any) bool { return strings.HasPrefix(r["status"].(string), "refused") }},
		{"status=refused:exists&action=create_namespace", func(r map[string]any) bool { return r["status"] == "refused:exists" }},
		{"action=nothing", func(map[string]any) bool { return false }},
	} {
		var want []any
		for _, r := range whole {
			if c.picks(r.(map[string]any)) {
				want = append(want, r)
			}
		}
		if (len(want) == 0) != (c.query == "action=nothing") {
			t.Fatalf("%q is no test: %d rows", c.query, len(want))
		}
		for _, limit := range []int{2, 7, 1000} {
			var all []any
			for cursor, rounds := "", 0; ; rounds++ {
				rows, next := get(t, s, "/admin/audit-logs?"+c.query, fmt.Sprintf("limit=%d&cursor=%s", limit, cursor))
				if len(rows) > limit || rounds > len(whole) {
					t.Fatalf("%q: %d rows of %d", c.query, len(rows), limit)
				}
				all = append(all, rows...)
				if cursor = next; cursor == "" {
					break
				}
			}
			if !reflect.DeepEqual(all, want) {
				t.Errorf("%q by %d: %d rows, want %d", c.query, limit, len(all), len(want))
			}
		}
	}
}

func TestAuditSpan(t *testing.T) {
	s := servertest.New(t)
	s.Secret(t, "before", "x")
	from := time.Now()
	s.Secret(t, "within", "x")
	to := time.Now()
	s.Secret(t, "after", "x")
	text := func(at time.Time) string { return url.QueryEscape(at.Format(time.RFC3339Nano)) }
	for query, want := range map[string]string{
		"since=" + text(from):                              "after within",
		"until=" + text(to):                                "within before",
		"since=" + text(from) + "&until=" + text(to):       "within",
		"since=" + text(to) + "&until=" + text(from):       "",
		"since=" + text(from.In(time.FixedZone("", 7200))): "after within",
	} {
		var rows []api.AuditRow
		s.Admin(t, "GET", "/admin/audit-logs?action=create_secret&"+query, nil, &rows)
		var got []string
		for _, r := range rows {
			got = append(got, *r.ResourcePath)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %v, want %s", query, got, want)
		}
	}
}

// What cannot be meant is refused, and named.
func TestAuditBadParameters(t *testing.T) {
	s := servertest.New(t)
	_, next := get(t, s, "/admin/audit-logs", "limit=1")
	for query, name := range map[string]string{
		"projekt=app": "projekt", "Project=app": "Project", "project=a&project=b": "project", "action=%0a": "action",
		"agent=" + strings.Repeat("a", 2000): "agent", "status=%ff": "status", "since=yesterday": "since", "since=2026-01-01": "since",
		"until=1767225600": "until", "until=2026-01-01T00:00:00Z&until=2026-01-01T00:00:00Z": "until", "limit=0": "limit",
		"cursor=x": "cursor", "action=discover&cursor=" + next: "cursor", "%zz": "query",
	} {
		a := s.TryAdmin(t, "GET", "/admin/audit-logs?"+query, nil)
		wantError(t, a, http.StatusBadRequest, api.InvalidRequest)
		if !strings.Contains(string(a.Body), name) {
			t.Errorf("%.60s: %s", query, a.Body)
		}
	}
}

func TestAuditRoles(t *testing.T) {
	t.Parallel()
	s := busy(t)
	for role, want := range map[string]int{"super": 200, "admin": 200, "auditor": 200, "approver": 403} {
		if a := as(t, s, logIn(t, s, "a-"+role, role), "GET", "/admin/audit-logs?limit=1", nil); a.Status != want {
			t.Errorf("%s: %d %s", role, a.Status, a.Body)
		}
	}
}

// Who is confined sees what happened in his namespaces, and nothing from which
// to tell what happened elsewhere.
func TestAuditConfined(t *testing.T) {
	s := busy(t)
	token := logIn(t, s, "carla", "auditor", "team")
	var all []map[string]any
	cursors := map[int]bool{}
	for cursor := ""; ; {
		a := as(t, s, token, "GET", "/admin/audit-logs?limit=3&cursor="+cursor, nil)
		if a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		var rows []map[string]any
		a.JSON(t, &rows)
		all = append(all, rows...)
		if cursor = a.Header.Get(api.NextCursor); cursor == "" {
			break
		}
		cursors[len(cursor)] = true
	}
	if len(cursors) != 1 {
		t.Errorf("cursors of the lengths %v", cursors)
	}
	var seen []string
	for _, r := range all {
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "default") || r["seq"] != nil || r["prev_hash"] != "" || r["entry_mac"] != "" {
			t.Errorf("seen: %s", text)
		}
		if !strings.Contains(string(text), `namespace=team"`) && !strings.Contains(string(text), `"namespace":"team"`) && !strings.Contains(string(text), "namespace=team ") {
			t.Errorf("not of team: %s", text)
		}
		seen = append(seen, r["action"].(string))
	}
	for _, action := range []string{"create_secret", "create_agent", "create_project_grant"} {
		if !slices.Contains(seen, action) {
			t.Errorf("no %s is seen", action)
		}
	}
	// Nor does the text of a policy take what it does out of their sight.
	s.Admin(t, "POST", "/admin/policies", map[string]any{
		"policy_name": "zz namespace=zz", "agent_pattern": "bot namespace=zz", "allowed_paths": []string{"*"}, "denied_paths": []string{}, "namespace": "team",
	}, nil)
	var policies []map[string]any
	as(t, s, token, "GET", "/admin/audit-logs?action=create_policy", nil).JSON(t, &policies)
	if len(policies) != 1 {
		t.Errorf("%d policies were made", len(policies))
	}
	// What is shared into a namespace speaks of two.
	var made struct{ ID string }
	s.Admin(t, "POST", "/admin/secrets", map[string]any{"key_path": "ours", "secret_type": "KEY_VALUE", "value": "v"}, &made)
	s.Admin(t, "POST", "/admin/secrets/"+made.ID+"/shares", map[string]any{"namespace": "team"}, nil)
	if a := as(t, s, token, "GET", "/admin/audit-logs?action=share_secret", nil); strings.TrimSpace(string(a.Body)) != "[]" {
		t.Errorf("%s", a.Body)
	}
}
