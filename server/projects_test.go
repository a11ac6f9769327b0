package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func project(t *testing.T, s *servertest.Server, name string) map[string]any {
	t.Helper()
	var list []map[string]any
	s.Admin(t, "GET", "/admin/projects", nil, &list)
	for _, p := range list {
		if p["project_name"] == name {
			return p
		}
	}
	t.Fatalf("no project %s in %v", name, list)
	return nil
}

func TestRevoke(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
		p := project(t, s, "app")
		wantMembers(t, p, "id", "project_name", "env_mappings", "namespace", "scope", "created_at", "token_expires_at", "token_revoked_at", "token_status", "agent_id")
		if p["token_status"] != "active" || p["token_expires_at"] == nil || p["token_revoked_at"] != nil {
			t.Errorf("before: %v", p)
		}
		if m := p["env_mappings"].(map[string]any); m["OPENAI_API_KEY"] != "openai_api_key" {
			t.Errorf("mappings %v", m)
		}
		wantBody(t, s.TryAdmin(t, "POST", "/admin/projects/app/revoke", nil), http.StatusOK, `{"revoked":true,"project_name":"app"}`)
		wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
		if p := project(t, s, "app"); p["token_status"] != "revoked" || p["token_revoked_at"] == nil {
			t.Errorf("after: %v", p)
		}
		wantBody(t, s.TryAdmin(t, "POST", "/admin/projects/app/revoke", nil), http.StatusOK, `{"revoked":true,"project_name":"app","already_revoked":true}`)
		wantError(t, s.TryAdmin(t, "POST", "/admin/projects/nothing/revoke", nil), http.StatusNotFound, api.NotFound)

		fresh := a.Discover(t, "app", "OPENAI_API_KEY") // no regenerate_token needed
		if fresh.Token == token {
			t.Error("the same token again")
		}
		a.Values(t, "app", fresh.Token)
		wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
	})
}

// What a token no longer opens is named, not left out in silence.
func TestDeletedGrantTakesEffectAtOnce(t *testing.T) {
	s := unlimited(t)
	grant := s.Grant(t, "app", s.Secret(t, "openai_api_key", "sk-1"))
	s.Grant(t, "app", s.Secret(t, "password", "x"))
	a := s.Enrol(t, "bot")
	token := a.Obtain(t, "app", "OPENAI_API_KEY", "PASSWORD").Token
	s.Admin(t, "DELETE", "/admin/projects/app/grants/"+grant, nil, nil)
	wantBody(t, a.Fetch(t, "app", token), http.StatusOK, `{"env_vars":{"PASSWORD":"x"},"withheld":["OPENAI_API_KEY"]}`)
}

// A secret made anew under an old path is another secret.
func TestRemadeSecretIsNotInherited(t *testing.T) {
	s := unlimited(t)
	id := s.Secret(t, "openai_api_key", "old")
	s.Grant(t, "app", id)
	a := s.Enrol(t, "bot")
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	s.Admin(t, "DELETE", "/admin/secrets/"+id, nil, nil)
	s.Secret(t, "openai_api_key", "new")
	wantBody(t, a.Fetch(t, "app", token), http.StatusOK, `{"env_vars":{},"withheld":["OPENAI_API_KEY"]}`)
}

func TestFetchReadsTheCurrentValue(t *testing.T) {
	s := unlimited(t)
	id := s.Secret(t, "openai_api_key", "old")
	s.Grant(t, "app", id)
	a := s.Enrol(t, "bot")
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	s.Admin(t, "PUT", "/admin/secrets/"+id, `{"value":"new \u0001 \u2028 \"\\/\ud83d\ude00"}`, nil)
	if v := a.Values(t, "app", token); v["OPENAI_API_KEY"] != "new \x01 \u2028 \"\\/😀" {
		t.Errorf("%q", v)
	}
}

// HEAD is GET without the body, side effects included.
func TestHeadFetch(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	header := http.Header{
		"Authorization":        {"Bearer " + token},
		"X-Daemon-Attestation": {a.Sign("GET", "/project/secrets/app", nil, tokenID(token))},
	}
	head := s.Do(t, servertest.Request{Method: "HEAD", Path: "/project/secrets/app", Header: header})
	if head.Status != http.StatusOK || len(head.Body) != 0 || head.Header.Get("Content-Length") == "0" {
		t.Errorf("%d %q", head.Status, head.Body)
	}
	again := s.Do(t, servertest.Request{Method: "HEAD", Path: "/project/secrets/app", Header: header})
	if again.Status != http.StatusUnauthorized {
		t.Errorf("the attestation was used, and is good again: %d", again.Status)
	}
	if n := len(auditRows(t, s, "get_secrets")); n != 1 {
		t.Errorf("%d reads recorded", n)
	}
}

func TestHoney(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		s.Grant(t, "app", s.Secret(t, "openai_api_key", "sk-1"))
		s.Grant(t, "app", s.SecretWith(t, map[string]any{"key_path": "root_password", "secret_type": "KEY_VALUE", "value": "bait-4711", "is_honey_token": true}))
		a := s.Enrol(t, "bot")
		token := a.Obtain(t, "app", "OPENAI_API_KEY", "ROOT_PASSWORD").Token
		first := a.Fetch(t, "app", token)
		wantError(t, first, http.StatusUnauthorized, api.Unauthorized)
		if p := project(t, s, "app"); p["token_status"] != "revoked" {
			t.Errorf("project %v", p)
		}
		if n := len(auditRows(t, s, "honey_token_access")); n != 1 {
			t.Errorf("%d alarms", n)
		}
		if second := a.Fetch(t, "app", token); second.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", second.Status, second.Body)
		}
		// The agent is frozen: it does not get out of it by asking again.
		if again := a.Send(t, a.Discovery("app", "OPENAI_API_KEY")); again.Status != http.StatusUnauthorized {
			t.Errorf("%d %s", again.Status, again.Body)
		}
	})
}

func TestConfig(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
		s.SecretWith(t, map[string]any{"key_path": "conf/app.toml", "secret_type": "TEMPLATE_CONFIG", "value": "key = \"{{openai_api_key}}\" <&>\n"})
		s.SecretWith(t, map[string]any{"key_path": "bad", "secret_type": "TEMPLATE_CONFIG", "value": "{{nothing}}"})
		answer := a.Config(t, "app", "conf/app.toml", token)
		value := a.Values(t, "app", token)["OPENAI_API_KEY"]
		if want := "key = \"" + value + "\" <&>\n"; answer.Status != http.StatusOK || string(answer.Body) != want {
			t.Errorf("%d %q, want %q", answer.Status, answer.Body, want)
		}
		if got := answer.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Error(got)
		}
		if got := answer.Header.Get("Cache-Control"); got != "no-store" {
			t.Error(got)
		}
		wantError(t, a.Config(t, "app", "bad", token), http.StatusUnprocessableEntity, api.TemplateError)
		wantError(t, a.Config(t, "app", "gone", token), http.StatusNotFound, api.NotFound)
		wantError(t, a.Config(t, "other", "conf/app.toml", token), http.StatusUnauthorized, api.Unauthorized)
		wantError(t, s.TryAdmin(t, "POST", "/admin/secrets", map[string]any{"key_path": "x", "secret_type": "TEMPLATE_CONFIG", "value": "{{"}), http.StatusBadRequest, api.InvalidRequest)
	})
}

func TestProjectSettings(t *testing.T) {
	s := servertest.New(t)
	const path = "/admin/projects/app/settings"
	wantBody(t, s.TryAdmin(t, "GET", path, nil), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":1209600,"masking":"always","on_freeze":"leave","offline_ttl_seconds":0,"commands":"any","template_files":"deny"}`)
	wantBody(t, s.TryAdmin(t, "PUT", path, map[string]any{"token_ttl_seconds": 90}), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":90,"masking":"always","on_freeze":"leave","offline_ttl_seconds":0,"commands":"any","template_files":"deny"}`)
	wantBody(t, s.TryAdmin(t, "PUT", path, map[string]any{"masking": "optional"}), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":90,"masking":"optional","on_freeze":"leave","offline_ttl_seconds":0,"commands":"any","template_files":"deny"}`)
	wantBody(t, s.TryAdmin(t, "PUT", path, struct{}{}), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":90,"masking":"optional","on_freeze":"leave","offline_ttl_seconds":0,"commands":"any","template_files":"deny"}`)
	wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"masking": "never"}), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, s.TryAdmin(t, "PUT", path, map[string]any{"on_freeze": "end"}), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":90,"masking":"optional","on_freeze":"end","offline_ttl_seconds":0,"commands":"any","template_files":"deny"}`)
	wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"on_freeze": "stay"}), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, s.TryAdmin(t, "PUT", path, map[string]any{"offline_ttl_seconds": 60}), http.StatusOK, `{"project_name":"app","namespace":"default","token_ttl_seconds":90,"masking":"optional","on_freeze":"end","offline_ttl_seconds":60,"commands":"any","template_files":"deny"}`)
	wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"template_files": "yes"}), http.StatusBadRequest, api.InvalidRequest)
	for _, bad := range []any{-1, 604801, int64(1) << 62, -int64(1) << 62, "1h", 1.5} {
		wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"offline_ttl_seconds": bad}), http.StatusBadRequest, api.InvalidRequest)
	}
	for _, bad := range []any{-1, 59, 31536001, int64(1) << 62, -int64(1) << 62} {
		wantError(t, s.TryAdmin(t, "PUT", path, map[string]any{"token_ttl_seconds": bad}), http.StatusBadRequest, api.InvalidRequest)
	}
	a := staged(t, s)
	if got := a.Obtain(t, "app", "OPENAI_API_KEY").TTL; got != 90 {
		t.Errorf("a token lives for %d s", got)
	}
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/projects/app", nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/projects/app", nil), http.StatusNotFound, api.NotFound)
}
