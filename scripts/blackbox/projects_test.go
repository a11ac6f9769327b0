package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

func TestTokenFetchesValues(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		got := s.fetch(s.app, token, "X-Cortex-Caller-Pid: 4242", "X-Cortex-Caller-Cwd: /srv/app", "X-Cortex-Os: linux/x86_64").want(http.StatusOK).object()
		if values := got["env_vars"].(object); len(values) != 2 || values[variable(s.key)] != "sk-1" || values[variable(s.db)] != "hunter22" {
			v.t.Errorf("%v", got)
		}
		row := v.audited("get_secrets", s.app)
		has(v.t, row, object{"caller_pid": 4242, "caller_cwd": "/srv/app", "os": "linux/x86_64", "status": "success"})
	})
}

func TestWrongTokenFetchesNothing(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"].(string)
		for _, wrong := range []string{strings.Repeat("0", 64), token[:63] + "g", strings.ToUpper(token) + "A", "x", "a.b.c"} {
			if strings.Count(wrong, ".") == 2 {
				s.send("GET", "/project/secrets/"+s.app, nil, "Authorization: Bearer "+wrong).wantError(http.StatusUnauthorized)
				continue
			}
			s.fetch(s.app, wrong).wantError(http.StatusUnauthorized)
		}
		s.send("GET", "/project/secrets/"+s.app, nil).wantError(http.StatusUnauthorized)
		s.fetch(v.named("another"), token).wantError(http.StatusUnauthorized)
		s.values(s.app, token)
	})
}

// A log-in is not a token of the project that has its agent's name.
func TestLoginOpensNoProject(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		if s.login == "" {
			s.logIn()
		}
		v.grant(s.id, v.keep(v.named("k"), "x"))
		s.obtain(s.id, variable(v.named("k")))
		s.fetch(s.id, s.login).wantError(http.StatusUnauthorized)
	})
}

func TestTemplateIsRendered(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		name := v.named("config.toml")
		v.keepAs(object{"key_path": name, "secret_type": "TEMPLATE_CONFIG", "value": "key = \"{{" + s.key + "}}\"\nrest = <&'>\n"})
		got := s.project("/project/config/"+s.app+"/"+name, token).want(http.StatusOK)
		if want := "key = \"sk-1\"\nrest = <&'>\n"; string(got.body) != want || got.header.Get("Content-Type") != "text/plain; charset=utf-8" {
			v.t.Errorf("%q, %s", got.body, got.header.Get("Content-Type"))
		}
		s.project("/project/config/"+s.app+"/"+v.named("none"), token).wantError(http.StatusNotFound)
	})
}

func TestRevokedProjectIsClosed(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		s.values(s.app, token)
		path := "/admin/projects/" + s.app + "/revoke"
		has(v.t, v.admin("POST", path, nil).want(http.StatusOK).object(), object{"revoked": true, "project_name": s.app})
		s.fetch(s.app, token).wantError(http.StatusUnauthorized, "token_revoked")
		has(v.t, v.admin("POST", path, nil).want(http.StatusOK).object(), object{"revoked": true, "already_revoked": true})
	})
}

func TestUnknownProjectIsNotRevoked(t *testing.T) {
	each(t, func(v *vault) {
		v.admin("POST", "/admin/projects/"+v.named("none")+"/revoke", nil).wantError(http.StatusNotFound)
	})
}

func TestDiscoverAfterRevocationGivesAnotherToken(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		old := s.obtain(s.app, s.env())["project_token"]
		v.admin("POST", "/admin/projects/"+s.app+"/revoke", nil).want(http.StatusOK)
		fresh := s.discover(s.app, s.env()).want(http.StatusOK).object()["project_token"]
		if fresh == old {
			v.t.Error("the same token again")
		}
		s.values(s.app, fresh)
		s.fetch(s.app, old).wantError(http.StatusUnauthorized)
	})
}

func TestProjectsTellHowTheirTokensStand(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		end := s.obtain(s.app, s.env())["token_expires_at"]
		has(v.t, v.project(s.app), object{"token_status": "active", "token_expires_at": end, "token_revoked_at": nil, "namespace": "default", "scope": []string{s.db, s.key}})
		v.admin("POST", "/admin/projects/"+s.app+"/revoke", nil).want(http.StatusOK)
		p := v.project(s.app)
		if has(v.t, p, object{"token_status": "revoked"}); p["token_revoked_at"] == nil {
			v.t.Errorf("%v", p)
		}
	})
}

// project returns a project's row in the list.
func (v *vault) project(name string) object {
	v.t.Helper()
	return v.admin("GET", "/admin/projects", nil).find("project_name", name)
}

func TestRevocationEndsSignedTokens(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		signed := object{"signed_token": true}
		jwt := s.obtain(s.app, s.env(), signed)["signed_project_token"]
		s.values(s.app, jwt)
		v.admin("POST", "/admin/projects/"+s.app+"/revoke", nil).want(http.StatusOK)
		s.fetch(s.app, jwt).wantError(http.StatusUnauthorized, "token_revoked")
		// It does not come back to life with the project.
		next := s.discover(s.app, s.env(), signed).want(http.StatusOK).object()["signed_project_token"]
		s.fetch(s.app, jwt).wantError(http.StatusUnauthorized)
		s.values(s.app, next)
	})
}

func TestHoneySecretEndsTheToken(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		bait := v.named("root_password")
		v.grant(s.app, v.keepAs(object{"key_path": bait, "secret_type": "KEY_VALUE", "value": "bait-4711", "is_honey_token": true}))
		token := s.obtain(s.app, s.env()+variable(bait)+"=\n")["project_token"]
		first := s.fetch(s.app, token).wantError(http.StatusUnauthorized)
		if strings.Contains(string(first.body), "sk-1") || strings.Contains(string(first.body), "bait") {
			v.t.Errorf("%s", first.body)
		}
		has(v.t, v.project(s.app), object{"token_status": "revoked"})
		has(v.t, v.audited("honey_token_access", s.app), object{"status": "alarm", "resource_path": bait})
		s.fetch(s.app, token).wantError(http.StatusUnauthorized, "token_revoked")
		s.discover(s.app, s.env()).wantError(http.StatusUnauthorized)
	})
}
