package server_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

const scrapeToken = "scrape-token-0123456789"

// sample is one line of the text format.
var sample = regexp.MustCompile(`^([a-z_]+)(?:\{((?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)+)\})? (\S+)$`)

// scrape returns the samples there are, and their lines.
func scrape(t *testing.T, s *servertest.Server) (samples map[string]string, text string) {
	t.Helper()
	a := s.Do(t, servertest.Request{Method: "GET", Path: "/metrics", Header: http.Header{"Authorization": {"Bearer " + scrapeToken}}})
	if a.Status != http.StatusOK || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain; version=0.0.4") {
		t.Fatalf("%d %s %s", a.Status, a.Header, a.Body)
	}
	samples = map[string]string{}
	declared := map[string]bool{}
	for line := range strings.Lines(string(a.Body)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			name, _, _ = strings.Cut(name, " ")
			if declared[name] {
				t.Errorf("%s is declared twice", name)
			}
			declared[name] = true
		}
		if strings.HasPrefix(line, "#") {
			continue
		}
		m := sample.FindStringSubmatch(line)
		if m == nil {
			t.Fatalf("not a sample: %q", line)
		}
		family := regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(m[1], "")
		if !declared[m[1]] && !declared[family] {
			t.Errorf("%s was not declared", m[1])
		}
		key := m[1] + "{" + m[2] + "}"
		if _, twice := samples[key]; twice {
			t.Errorf("%s is there twice", key)
		}
		samples[key] = m[3]
	}
	return samples, string(a.Body)
}

// What is counted is there, and nothing that anybody entered.
func TestMetrics(t *testing.T) {
	s := servertest.With(t, servertest.Config{MetricsToken: scrapeToken})
	id := s.SecretWith(t, map[string]any{
		"key_path": "very/private-path", "secret_type": "KEY_VALUE", "value": "private-value", "namespace": "private-namespace",
	})
	_ = id
	a := s.Enrol(t, "private-agent")
	s.Secret(t, "db_password", "other-private-value")
	if p := a.Send(t, a.Discovery("private-project", "DB_PASSWORD")); p.Code() != "pending_approval" {
		t.Fatalf("%d %s", p.Status, p.Body)
	}
	if a := s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: http.Header{"X-Admin-Token": {"private-guess"}}}); a.Status != http.StatusUnauthorized {
		t.Fatal(a.Status)
	}
	s.Do(t, servertest.Request{Method: "GET", Path: "/private-place"})
	s.Do(t, servertest.Request{Method: "BREW", Path: "/health"})
	got, text := scrape(t, s)
	for key, want := range map[string]string{
		`cortex_http_requests_total{route="POST /admin/secrets",status="201"}`:     "2",
		`cortex_http_requests_total{route="GET /admin/secrets",status="401"}`:      "1",
		`cortex_http_requests_total{route="",status="404"}`:                        "1",
		`cortex_http_requests_total{route="",status="405"}`:                        "1",
		`cortex_http_request_duration_seconds_count{route="POST /agent/discover"}`: "1",
		`cortex_operations_total{action="create_secret",status="success"}`:         "2",
		`cortex_operations_total{action="discover_pending_new",status="pending"}`:  "1",
		`cortex_operations_total{action="admin_login",status="failed"}`:            "1",
		`cortex_auth_failures_total{}`:                                             "1", `cortex_sealed{}`: "0", `cortex_pending_grants{}`: "1", `cortex_kek_version{}`: "1",
		`cortex_http_requests_in_flight{}`: "1",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %s\n%s", key, got[key], want, text)
		}
	}
	for _, key := range []string{
		"cortex_audit_rows_total{}", "cortex_store_commits_total{}", "cortex_store_file_bytes{}", "cortex_connections{}",
		"cortex_kek_wraps_left{}", "go_goroutines{}", "go_memory_bytes{}", "process_start_time_seconds{}",
	} {
		if v := got[key]; v == "" || v == "0" {
			t.Errorf("%s is %q", key, v)
		}
	}
	if strings.Contains(text, "private") || strings.Contains(text, "BREW") {
		t.Errorf("a name got out:\n%s", text)
	}
}

// Whoever asks for other things finds nothing new in the metrics.
func TestMetricsStayFew(t *testing.T) {
	s := servertest.With(t, servertest.Config{MetricsToken: scrapeToken, Unlimited: true})
	before, _ := scrape(t, s)
	for i := range 300 {
		name := strings.Repeat("x", i+1)
		s.Do(t, servertest.Request{Method: "GET", Path: "/" + name})
		s.Do(t, servertest.Request{Method: "GET", Path: "/project/secrets/" + name, Header: http.Header{"Authorization": {"Bearer " + name}}})
		s.TryAdmin(t, "GET", "/admin/projects/"+name+"/grants", nil)
	}
	after, text := scrape(t, s)
	if len(after) > len(before)+80 { // three routes with their buckets, one more of /metrics
		t.Errorf("%d samples, before %d\n%s", len(after), len(before), text)
	}
}

// Only a scraper and an administrator see them; also while sealed.
func TestMetricsAreForFew(t *testing.T) {
	s := servertest.With(t, servertest.Config{MetricsToken: scrapeToken})
	ask := func(h http.Header) int {
		return s.Do(t, servertest.Request{Method: "GET", Path: "/metrics", Header: h}).Status
	}
	for _, h := range []http.Header{
		{},
		{"Authorization": {"Bearer"}},
		{"Authorization": {"Bearer x"}},
		{"Authorization": {"Basic " + scrapeToken}},
		{"Authorization": {"Bearer " + scrapeToken + "x"}},
		{"X-Admin-Token": {scrapeToken}},
		{"Authorization": {"Bearer " + s.AdminToken}},
	} {
		if got := ask(h); got != http.StatusUnauthorized {
			t.Errorf("%v: %d", h, got)
		}
	}
	if got := ask(http.Header{"X-Admin-Token": {s.AdminToken}}); got != http.StatusOK {
		t.Errorf("the administrator: %d", got)
	}
	if err := s.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	if got, _ := scrape(t, s); got["cortex_sealed{}"] != "1" || got["cortex_audit_rows_total{}"] != "" {
		t.Errorf("sealed: %v", got)
	}
}

// Without a metrics token there is none that fits, not even an empty one.
func TestNoMetricsToken(t *testing.T) {
	s := servertest.New(t)
	for _, h := range []http.Header{{"Authorization": {"Bearer "}}, {"Authorization": {"Bearer x"}}, {}} {
		if got := s.Do(t, servertest.Request{Method: "GET", Path: "/metrics", Header: h}).Status; got != http.StatusUnauthorized {
			t.Errorf("%v: %d", h, got)
		}
	}
}

// Too many wrong tokens are answered with 429, as everywhere.
func TestMetricsTokenIsNotGuessed(t *testing.T) {
	s := servertest.With(t, servertest.Config{MetricsToken: scrapeToken})
	last := 0
	for range 70 {
		last = s.Do(t, servertest.Request{Method: "GET", Path: "/metrics", Header: http.Header{"Authorization": {"Bearer guess"}}}).Status
	}
	if last != http.StatusTooManyRequests {
		t.Errorf("%d", last)
	}
}

// Metrics count what is everybody's, so those who see a part only get none.
func TestMetricsAreForTheUnconfined(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	s.Admin(t, "POST", "/admin/namespaces", map[string]any{"name": "team"}, nil)
	for name, want := range map[string]int{"ann": http.StatusOK, "bea": http.StatusForbidden} {
		var within []string
		if want != http.StatusOK {
			within = []string{"team"}
		}
		if a := as(t, s, logIn(t, s, name, "auditor", within...), "GET", "/metrics", nil); a.Status != want {
			t.Errorf("%v: %d %s", within, a.Status, a.Body)
		}
	}
}
