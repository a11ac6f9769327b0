package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
)

const userPassword = "a long enough password"

// logIn makes an account and returns the token of its log-in.
func logIn(t *testing.T, s *servertest.Server, name, role string, namespaces ...string) string {
	t.Helper()
	for _, ns := range namespaces {
		s.TryAdmin(t, "POST", "/admin/namespaces", map[string]string{"name": ns}) // unless it is there
	}
	s.Admin(t, "POST", "/admin/users", map[string]any{"name": name, "role": role, "namespaces": namespaces, "password": userPassword}, nil)
	answer := tryLogin(t, s, name, userPassword)
	if answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	var out struct{ Token, Name, Role string }
	answer.JSON(t, &out)
	if out.Name != name || out.Role != role || len(out.Token) != 64 {
		t.Fatalf("%+v", out)
	}
	return out.Token
}

func tryLogin(t *testing.T, s *servertest.Server, name, password string) servertest.Answer {
	return s.Do(t, servertest.Request{Method: "POST", Path: "/login", Body: map[string]string{"name": name, "password": password}})
}

// as sends a request with the token of a log-in.
func as(t *testing.T, s *servertest.Server, token, method, path string, body any) servertest.Answer {
	t.Helper()
	return s.Do(t, servertest.Request{Method: method, Path: path, Header: http.Header{"X-Admin-Token": {token}}, Body: body})
}

func TestAccounts(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true})
	token := logIn(t, s, "alice", "auditor")
	wantBody(t, as(t, s, token, "GET", "/admin/whoami", nil), http.StatusOK, `{"name":"alice","role":"auditor","namespaces":[]}`)
	wantBody(t, s.TryAdmin(t, "GET", "/admin/whoami", nil), http.StatusOK, `{"name":"admin","role":"super","namespaces":[]}`)
	id := s.Secret(t, "key", "sk-value")
	wantError(t, as(t, s, token, "GET", "/admin/secrets/"+id, nil), http.StatusForbidden, api.Forbidden)
	wantError(t, as(t, s, token, "POST", "/admin/agents", map[string]string{"agent_id": "x", "agent_pub": "y"}), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, as(t, s, token, "GET", "/admin/users", nil), http.StatusForbidden, api.Forbidden)
	if answer := as(t, s, token, "GET", "/admin/secrets", nil); answer.Status != http.StatusOK || !strings.Contains(string(answer.Body), `"key"`) {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	wantError(t, tryLogin(t, s, "alice", "wrong"), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, tryLogin(t, s, "nobody", userPassword), http.StatusUnauthorized, api.Unauthorized)

	wantBody(t, as(t, s, token, "POST", "/admin/password", map[string]string{"current_password": userPassword, "new_password": "another long password"}),
		http.StatusOK, `{"changed":true}`)
	wantError(t, tryLogin(t, s, "alice", userPassword), http.StatusUnauthorized, api.Unauthorized)

	var list []map[string]any
	s.Admin(t, "GET", "/admin/users", nil, &list)
	wantMembers(t, list[0], "id", "name", "role", "namespaces", "disabled", "created_at")
	path := "/admin/users/" + list[0]["id"].(string)
	wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"namespaces": []string{"prod"}}), http.StatusBadRequest, api.InvalidRequest)
	s.Admin(t, "POST", "/admin/namespaces", map[string]string{"name": "prod"}, nil)
	if answer := s.TryAdmin(t, "PUT", path, map[string]any{"role": "admin", "namespaces": []string{"prod"}}); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	wantError(t, as(t, s, token, "GET", "/admin/whoami", nil), http.StatusUnauthorized, api.Unauthorized)
	wantBody(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusNotFound, api.NotFound)
	for _, secret := range []string{userPassword, "another long password", token, "sk-value"} {
		if strings.Contains(s.Log(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}

func TestLogout(t *testing.T) {
	s := servertest.New(t)
	token := logIn(t, s, "alice", "super")
	wantBody(t, as(t, s, token, "POST", "/admin/logout", nil), http.StatusOK, `{"logged_out":true}`)
	wantError(t, as(t, s, token, "GET", "/admin/whoami", nil), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, s.TryAdmin(t, "POST", "/admin/logout", nil), http.StatusBadRequest, api.InvalidRequest)
}

// Guessing is limited for each source, before any password is stretched.
func TestLoginIsLimited(t *testing.T) {
	limits, err := limit.ParseRates("failures=3/1m")
	if err != nil {
		t.Fatal(err)
	}
	s := servertest.With(t, servertest.Config{Limits: limits})
	for range 3 {
		wantError(t, tryLogin(t, s, "alice", "wrong"), http.StatusUnauthorized, api.Unauthorized)
	}
	answer := tryLogin(t, s, "alice", "wrong")
	wantError(t, answer, http.StatusTooManyRequests, api.RateLimited)
	if answer.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}

func TestConfirmations(t *testing.T) {
	s := servertest.With(t, servertest.Config{TwoPerson: true})
	wantBody(t, s.TryAdmin(t, "GET", "/admin/confirmations", nil), http.StatusOK, `[]`)
	wantError(t, s.TryAdmin(t, "POST", "/admin/confirmations/x/confirm", nil), http.StatusNotFound, api.NotFound)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/confirmations/x", nil), http.StatusNotFound, api.NotFound)
	token := logIn(t, s, "alice", "admin")
	wantError(t, as(t, s, token, "GET", "/admin/confirmations", nil), http.StatusForbidden, api.Forbidden)
}
