package server_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// signed asks for a new token and a JWT of it.
func signed(t *testing.T, a *servertest.Agent, project string, names ...string) servertest.Discovered {
	t.Helper()
	d := a.Discovery(project, names...)
	d.RegenerateToken, d.SignedToken = new(true), true
	answer := a.Send(t, d)
	if answer.Status != http.StatusOK {
		t.Fatalf("discover: %d %s", answer.Status, answer.Body)
	}
	var got servertest.Discovered
	answer.JSON(t, &got)
	return got
}

// Whatever ends a token ends its JWT at once. Neither comes back: not when the
// daemon logs in and attests anew, nor when the agent is given another token.
func TestEveryEndOfAToken(t *testing.T) {
	t.Parallel()
	grants := func(t *testing.T, s *servertest.Server) string {
		t.Helper()
		var list []api.Grant
		s.Admin(t, "GET", "/admin/projects/app/grants", nil, &list)
		return list[slices.IndexFunc(list, func(g api.Grant) bool { return g.SecretKeyPath == "openai_api_key" })].ID
	}
	for name, tc := range map[string]struct {
		end func(*testing.T, *servertest.Server, *servertest.Agent)
		// withheld: the token is good and opens nothing.
		withheld bool
	}{
		"revoked": {end: func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "POST", "/admin/projects/app/revoke", nil, nil)
		}},
		"regenerated": {end: func(t *testing.T, _ *servertest.Server, a *servertest.Agent) { signed(t, a, "app", "OPENAI_API_KEY") }},
		"honey": {end: func(t *testing.T, s *servertest.Server, a *servertest.Agent) {
			id := s.Secret(t, "decoy", "bait")
			a.Obtain(t, "trap", "DECOY")
			got := signed(t, a, "trap", "DECOY")
			s.Admin(t, "PUT", "/admin/secrets/"+id, `{"is_honey_token":true}`, nil)
			wantError(t, a.Fetch(t, "trap", got.Signed), http.StatusUnauthorized, api.Unauthorized)
			wantError(t, a.Fetch(t, "trap", got.Token), http.StatusUnauthorized, api.TokenRevoked)
			s.Admin(t, "POST", "/admin/projects/app/revoke", nil, nil)
			wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusUnauthorized, api.Unauthorized)
			unfreeze(t, s, api.KindAgent, "bot")
		}},
		"agent deleted": {end: func(t *testing.T, s *servertest.Server, a *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/agents/bot", nil, nil)
			s.RegisterAs(t, a)
		}},
		"approval deleted": {end: func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			var list []api.PendingGrant
			s.Admin(t, "GET", "/admin/pending-grants", nil, &list)
			s.Admin(t, "DELETE", "/admin/pending-grants/"+list[0].ID, nil, nil)
		}},
		"grant deleted": {withheld: true, end: func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/projects/app/grants/"+grants(t, s), nil, nil)
		}},
		"device deleted": {end: func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/devices/bot", nil, nil)
		}},
		"session ended": {end: func(t *testing.T, s *servertest.Server, a *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/daemon-sessions/"+a.SessionID, nil, nil)
		}},
		"project deleted": {end: func(t *testing.T, s *servertest.Server, _ *servertest.Agent) {
			s.Admin(t, "DELETE", "/admin/projects/app", nil, nil)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
			a := staged(t, s)
			a.Obtain(t, "app", "OPENAI_API_KEY")
			old := signed(t, a, "app", "OPENAI_API_KEY")
			for _, bearer := range []string{old.Token, old.Signed} {
				if v := a.Values(t, "app", bearer); v["OPENAI_API_KEY"] != "sk-1" {
					t.Fatalf("before: %v", v)
				}
			}
			dead := func(when string) {
				t.Helper()
				for kind, bearer := range map[string]string{"token": old.Token, "JWT": old.Signed} {
					answer := a.Fetch(t, "app", bearer)
					if tc.withheld {
						wantBody(t, answer, http.StatusOK, `{"env_vars":{},"withheld":["OPENAI_API_KEY"]}`)
					} else if answer.Status != http.StatusUnauthorized {
						t.Errorf("the %s, %s: %d %s", kind, when, answer.Status, answer.Body)
					}
				}
			}
			tc.end(t, s, a)
			dead("at once")
			a.Login(t)
			if answer := a.Attest(t); answer.Status != http.StatusOK {
				t.Fatalf("attest: %d %s", answer.Status, answer.Body)
			}
			dead("after a new log-in")
			tc.withheld = false // another token takes the place of this one
			fresh := a.Obtain(t, "app", "OPENAI_API_KEY")
			if v := a.Values(t, "app", fresh.Token); v["OPENAI_API_KEY"] != "sk-1" {
				t.Errorf("the new token: %v", v)
			}
			dead("after a new token")
		})
	}
}

// A JWT of a frozen agent, project or namespace is as dead as its token, for as
// long.
func TestFreezeStopsJWTs(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	got := signed(t, a, "app", "OPENAI_API_KEY")
	for kind, name := range map[string]string{api.KindAgent: "bot", api.KindProject: "app", api.KindNamespace: "default"} {
		freeze(t, s, kind, name)
		for _, bearer := range []string{got.Token, got.Signed} {
			wantError(t, a.Fetch(t, "app", bearer), http.StatusUnauthorized, api.Unauthorized)
		}
		unfreeze(t, s, kind, name)
		for _, bearer := range []string{got.Token, got.Signed} {
			a.Values(t, "app", bearer)
		}
	}
}
