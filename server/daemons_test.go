package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func attest(t *testing.T, s *servertest.Server, bearer, body string) servertest.Answer {
	t.Helper()
	h := http.Header{}
	if bearer != "" {
		h.Set("Authorization", "Bearer "+bearer)
	}
	return s.Do(t, servertest.Request{Method: "POST", Path: "/daemon/attest", Header: h, Body: body})
}

func TestAttest(t *testing.T) {
	s := servertest.With(t, servertest.Config{AttestLimit: -1})
	a := s.Register(t, "bot")
	a.Login(t)
	full := `{"attestation_pub":"` + agentPub + `","binary_sha256":"` + strings.Repeat("ab", 32) + `","daemon_version":"0.1.0","daemon_pid":42,"daemon_uid":1000,"hostname":"h","unknown":1}`
	answer := attest(t, s, a.AccessToken, full)
	var session map[string]any
	if answer.JSON(t, &session); answer.Status != http.StatusOK || session["expires_in"] != 86400.0 || session["allowlist_enforced"] != false {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	wantMembers(t, session, "session_id", "expires_in", "allowlist_enforced")
	if id := session["session_id"].(string); strings.Contains(id, ".") || id == "" {
		t.Errorf("session id %q", id)
	}
	var list []map[string]any
	if s.Admin(t, "GET", "/admin/daemon-sessions", nil, &list); len(list) != 1 || list[0]["agent_id"] != "bot" || list[0]["daemon_pid"] != 42.0 || list[0]["hostname"] != "h" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "session_id", "agent_id", "binary_sha256", "daemon_version", "daemon_pid", "daemon_uid", "hostname", "created_at", "expires_at", "revoked_at")

	for name, body := range map[string]string{
		"no key":     `{"binary_sha256":"x"}`,
		"blank key":  `{"attestation_pub":"","binary_sha256":"x"}`,
		"padded key": `{"attestation_pub":"` + agentPub + `=","binary_sha256":"x"}`,
		"bad point":  `{"attestation_pub":"` + strings.Repeat("_", 43) + `","binary_sha256":"x"}`,
		"no hash":    `{"attestation_pub":"` + agentPub + `"}`,
		"blank hash": `{"attestation_pub":"` + agentPub + `","binary_sha256":""}`,
		"pid":        strings.Replace(full, "42", `"42"`, 1),
	} {
		if answer := attest(t, s, a.AccessToken, body); answer.Status != http.StatusBadRequest || answer.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

func TestAttestNeedsADeviceToken(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	d := a.Discovery("app", "OPENAI_API_KEY")
	d.RegenerateToken, d.SignedToken = new(true), true
	var project servertest.Discovered
	a.Send(t, d).JSON(t, &project)
	for name, bearer := range map[string]string{
		"none": "", "random": strings.Repeat("ab", 32), "project": project.Token, "project JWT": project.Signed,
		"truncated": a.AccessToken[:len(a.AccessToken)-4], "unsigned": a.AccessToken[:strings.LastIndex(a.AccessToken, ".")+1],
	} {
		// The body is bad as well: whoever is not known does not learn that.
		answer := attest(t, s, bearer, `not JSON`)
		if answer.Status != http.StatusUnauthorized || answer.Code() != string(api.Unauthorized) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	// And a device token opens no project of its agent's name.
	s.Grant(t, "bot", s.Secret(t, "other", "x"))
	if answer := a.Fetch(t, "bot", a.AccessToken); answer.Status != http.StatusUnauthorized {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

func TestAllowlist(t *testing.T) {
	s := servertest.With(t, servertest.Config{AttestLimit: -1})
	a := s.Register(t, "bot")
	a.Login(t)
	other := strings.Repeat("cd", 32)
	wantBody(t, s.TryAdmin(t, "POST", "/admin/allowed-daemon-versions", `{"binary_sha256":" `+strings.ToUpper(other)+` ","version":"1"}`), http.StatusCreated, `{"binary_sha256":"`+other+`","enabled":true}`)
	wantError(t, s.TryAdmin(t, "POST", "/admin/allowed-daemon-versions", `{"binary_sha256":"`+other+`"}`), http.StatusConflict, api.Conflict)
	wantError(t, s.TryAdmin(t, "POST", "/admin/allowed-daemon-versions", `{"binary_sha256":"xyz"}`), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, a.Attest(t), http.StatusForbidden, api.BinaryNotAllowed)

	wantBody(t, s.TryAdmin(t, "POST", "/admin/allowed-daemon-versions", `{"binary_sha256":"`+servertest.BinarySHA256+`","enabled":false}`), http.StatusCreated, `{"binary_sha256":"`+servertest.BinarySHA256+`","enabled":false}`)
	wantError(t, a.Attest(t), http.StatusForbidden, api.BinaryDisabled)
	var list []map[string]any
	if s.Admin(t, "GET", "/admin/allowed-daemon-versions", nil, &list); len(list) != 2 || list[0]["enabled"] != 0.0 || list[1]["enabled"] != 1.0 {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "binary_sha256", "version", "description", "enabled", "created_at")

	path := "/admin/allowed-daemon-versions/" + servertest.BinarySHA256
	wantBody(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusNotFound, api.NotFound)
	s.Admin(t, "POST", "/admin/allowed-daemon-versions", `{"binary_sha256":"`+servertest.BinarySHA256+`"}`, nil)
	answer := a.Attest(t)
	var session api.AttestResponse
	if answer.JSON(t, &session); answer.Status != http.StatusOK || !session.AllowlistEnforced {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

func TestRevokedSession(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	id := a.SessionID
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/daemon-sessions/"+id, nil), http.StatusOK, `{"deleted":true,"id":"`+id+`"}`)
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
	wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/daemon-sessions/nope", nil), http.StatusNotFound, api.NotFound)
	var list []api.DaemonSession
	if s.Admin(t, "GET", "/admin/daemon-sessions", nil, &list); list[0].RevokedAt == nil {
		t.Errorf("%+v", list[0])
	}
	a.Attest(t) // its login is still good, and the approval stands
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
	a.Values(t, "app", a.Discover(t, "app", "OPENAI_API_KEY").Token)
}

// A new session ends the one before, and the third within 30 s is refused.
func TestAttestAgain(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	old := *a
	if answer := a.Attest(t); answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	wantError(t, old.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
	a.Values(t, "app", token)
	third := a.Attest(t)
	wantError(t, third, http.StatusTooManyRequests, api.RateLimited)
	if third.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
