package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
)

// The behaviour that existing scripts rely on, and that what was fetched before a
// rotation is fetched after it: the contents too.
func TestRotateKey(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
		before := a.Values(t, "app", token)
		wantError(t, s.TryAdmin(t, "GET", "/admin/rotate-key", nil), http.StatusNotFound, api.NotFound)
		wantError(t, s.TryAdmin(t, "POST", "/admin/rotate-key", map[string]string{"new_kek_password": "  "}), http.StatusBadRequest, api.InvalidRequest)
		var out map[string]any
		s.Admin(t, "POST", "/admin/rotate-key", map[string]string{"new_kek_password": " the next password "}, &out)
		wantMembers(t, out, "rotated", "secrets_rewrapped", "new_kek_version", "finished", "message")
		if out["rotated"] != true || out["secrets_rewrapped"].(float64) < 1 || out["new_kek_version"] != 2.0 || out["finished"] != true {
			t.Errorf("%v", out)
		}
		if after := a.Values(t, "app", token); after["OPENAI_API_KEY"] != before["OPENAI_API_KEY"] {
			t.Errorf("%v, then %v", before, after)
		}
		s.Admin(t, "GET", "/admin/rotate-key", nil, &out)
		if out["from_version"] != 1.0 || out["to_version"] != 2.0 || out["finished_at"] == nil || out["compacting"] != false {
			t.Errorf("%v", out)
		}
		// White space around a password counts neither here nor at the start.
		s.Admin(t, "POST", "/admin/change-password", map[string]string{"current_password": " the next password\n", "new_password": "another"}, nil)
		wantError(t, s.TryAdmin(t, "POST", "/admin/change-password", map[string]string{"current_password": "the next password", "new_password": "x"}), http.StatusForbidden, api.Forbidden)
		for _, secret := range []string{"the next password", "another"} {
			if strings.Contains(s.Log(), secret) {
				t.Errorf("the log has %q", secret)
			}
		}
	})
}

func TestSealing(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	unseal := func(body map[string]string) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/sys/unseal", Body: body})
	}
	status := func(want string) {
		t.Helper()
		wantBody(t, s.Do(t, servertest.Request{Method: "GET", Path: "/sys/seal-status"}), http.StatusOK, want)
	}
	var made struct{ Shares []string }
	s.Admin(t, "POST", "/admin/shamir/generate", map[string]int{"threshold": 2, "shares": 3}, &made)
	if len(made.Shares) != 3 {
		t.Fatalf("%v", made)
	}
	for _, bad := range []map[string]int{{"threshold": 1, "shares": 3}, {"threshold": 4, "shares": 3}, {"threshold": 2, "shares": 201}} {
		wantError(t, s.TryAdmin(t, "POST", "/admin/shamir/generate", bad), http.StatusBadRequest, api.InvalidRequest)
	}
	status(`{"sealed":false,"initialized":true}`)
	manager := logIn(t, s, "alice", "admin")
	wantError(t, as(t, s, manager, "POST", "/sys/seal", nil), http.StatusForbidden, api.Forbidden)
	wantBody(t, s.TryAdmin(t, "POST", "/sys/seal", nil), http.StatusOK, `{"sealed":true,"initialized":true}`)
	status(`{"sealed":true,"initialized":true}`)
	for _, r := range documented(t) {
		if r.path == "/health" || r.path == "/metrics" || strings.HasPrefix(r.path, "/sys/") {
			continue
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(r.path)
		wantError(t, s.Do(t, servertest.Request{Method: r.method, Path: path, Body: `{}`}), http.StatusServiceUnavailable, api.Sealed)
	}
	wantBody(t, s.Do(t, servertest.Request{Method: "GET", Path: "/health"}), http.StatusServiceUnavailable, `{"status":"sealed","db":"ok"}`)

	wantError(t, unseal(map[string]string{}), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, unseal(map[string]string{"password": "wrong"}), http.StatusForbidden, api.Forbidden)
	wantError(t, unseal(map[string]string{"share": "x"}), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, unseal(map[string]string{"share": made.Shares[0], "attempt": "x"}), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, unseal(map[string]string{"password": servertest.Password}), http.StatusOK, `{"sealed":false,"initialized":true}`)
	a.Values(t, "app", token)

	// With shares, one by one.
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	first := unseal(map[string]string{"share": made.Shares[2]})
	var out struct {
		Sealed  bool
		Attempt string
		Missing int
	}
	if first.JSON(t, &out); !out.Sealed || out.Missing != 1 || out.Attempt == "" {
		t.Errorf("%s", first.Body)
	}
	again := unseal(map[string]string{"share": made.Shares[2], "attempt": out.Attempt})
	if wantError(t, again, http.StatusBadRequest, api.InvalidRequest); !strings.Contains(string(again.Body), "before") {
		t.Errorf("%s", again.Body)
	}
	wantBody(t, unseal(map[string]string{"share": made.Shares[0], "attempt": out.Attempt}), http.StatusOK, `{"sealed":false,"initialized":true,"recovered":true}`)
	a.Values(t, "app", token)
	s.Admin(t, "POST", "/admin/change-password", map[string]string{"new_password": "chosen anew"}, nil)
	status(`{"sealed":false,"initialized":true}`)
	for _, share := range made.Shares {
		if strings.Contains(s.Log(), share) {
			t.Error("the log has a share")
		}
	}
}

// Guessing is limited, and nothing that opens the vault travels in clear.
func TestUnsealIsGuarded(t *testing.T) {
	rates := limit.Defaults()
	rates.Unseal.N = 2
	s := servertest.With(t, servertest.Config{Limits: rates, Proxies: proxies(t, "127.0.0.1")})
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	unseal := func(from string) servertest.Answer {
		h := http.Header{}
		if from != "" {
			h.Set("X-Forwarded-For", from)
		}
		return s.Do(t, servertest.Request{Method: "POST", Path: "/sys/unseal", Header: h, Body: map[string]string{"password": "wrong"}})
	}
	wantError(t, unseal("192.0.2.7"), http.StatusForbidden, api.Forbidden)
	for range 2 {
		wantError(t, unseal(""), http.StatusForbidden, api.Forbidden)
	}
	wantError(t, unseal(""), http.StatusTooManyRequests, api.RateLimited)
}

func TestRotateSigningKey(t *testing.T) {
	s := servertest.New(t)
	var out struct {
		Rotated bool
		KID     string
	}
	s.Admin(t, "POST", "/admin/rotate-signing-key", nil, &out)
	answer := s.Do(t, servertest.Request{Method: "GET", Path: "/.well-known/jwks.json"})
	var set struct{ Keys []struct{ KID string } }
	if answer.JSON(t, &set); !out.Rotated || len(set.Keys) != 2 || set.Keys[0].KID != out.KID {
		t.Errorf("%+v, %s", out, answer.Body)
	}
}

// Unsealing what is open is nobody's to record: strangers may ask for it.
func TestUnsealingAnOpenVault(t *testing.T) {
	s := servertest.New(t)
	var before, after []api.AuditRow
	s.Admin(t, "GET", "/admin/audit-logs", nil, &before)
	for _, body := range []string{`{}`, `{"password":"wrong"}`, `{"share":"x"}`} {
		a := s.Do(t, servertest.Request{Method: "POST", Path: "/sys/unseal", Header: http.Header{"Content-Type": {"application/json"}}, Body: body})
		var status api.SealStatus
		if a.JSON(t, &status); a.Status != http.StatusOK || status.Sealed {
			t.Errorf("%s: %d %s", body, a.Status, a.Body)
		}
	}
	if s.Admin(t, "GET", "/admin/audit-logs", nil, &after); len(after) != len(before) {
		t.Errorf("%d records were %d before: %+v", len(after), len(before), after[0])
	}
}
