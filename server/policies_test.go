package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestPolicies(t *testing.T) {
	s := servertest.New(t)
	a := s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"p","agent_pattern":"bot*","allowed_paths":["prod/*"]}`)
	wantCreated(t, a)
	var made map[string]any
	a.JSON(t, &made)
	wantMembers(t, made, "id", "policy_name")
	wantError(t, s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"p","agent_pattern":"*","allowed_paths":[]}`), http.StatusConflict, api.Conflict)
	wantError(t, s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"q","agent_pattern":"*"}`), http.StatusBadRequest, api.InvalidRequest)

	var list []map[string]any
	if s.Admin(t, "GET", "/admin/policies", nil, &list); len(list) != 1 || list[0]["agent_pattern"] != "bot*" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "id", "policy_name", "agent_pattern", "allowed_paths", "denied_paths", "created_at")
	if denied, ok := list[0]["denied_paths"].([]any); !ok || len(denied) != 0 {
		t.Errorf("denied %v", list[0]["denied_paths"])
	}
	path := "/admin/policies/" + made["id"].(string)
	wantBody(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", path, nil), http.StatusNotFound, api.NotFound)
}

func TestPolicyOfANamespace(t *testing.T) {
	s := servertest.New(t)
	wantCreated(t, s.TryAdmin(t, "POST", "/admin/namespaces", `{"name":"prod"}`))
	wantCreated(t, s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"p","agent_pattern":"*","allowed_paths":[],"namespace":"prod"}`))
	var list []api.Policy
	if s.Admin(t, "GET", "/admin/policies", nil, &list); len(list) != 1 || list[0].Namespace != "prod" {
		t.Errorf("%+v", list)
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"q","agent_pattern":"*","allowed_paths":[],"namespace":"../x"}`), http.StatusBadRequest, api.InvalidRequest)
}

// A pattern the language cannot express would quietly match nothing.
func TestPolicyPatternsAreChecked(t *testing.T) {
	s := servertest.New(t)
	for _, body := range []string{
		`{"policy_name":"p","agent_pattern":"*-prod","allowed_paths":[]}`,
		`{"policy_name":"p","agent_pattern":"*","allowed_paths":["a/*/b"]}`,
		`{"policy_name":"p","agent_pattern":"*","allowed_paths":[],"denied_paths":["*x"]}`,
		`{"policy_name":"","agent_pattern":"*","allowed_paths":[]}`,
	} {
		wantError(t, s.TryAdmin(t, "POST", "/admin/policies", body), http.StatusBadRequest, api.InvalidRequest)
	}
}

func TestPolicyDeniesAtDiscoverAndFetch(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := a.Obtain(t, "app", "OPENAI_API_KEY", "PASSWORD").Token
		wantCreated(t, s.TryAdmin(t, "POST", "/admin/policies", `{"policy_name":"no db","agent_pattern":"bot","allowed_paths":[],"denied_paths":["db/*"]}`))
		if v := a.Values(t, "app", token); len(v) != 1 || v["OPENAI_API_KEY"] != "sk-1" {
			t.Errorf("values %v", v)
		}
		d := a.Discovery("app", "OPENAI_API_KEY", "PASSWORD")
		d.RegenerateToken = new(true)
		var got servertest.Discovered
		if a.Send(t, d).JSON(t, &got); got.FullMatched || len(got.UnmatchedKeys) != 1 || got.UnmatchedKeys[0] != "PASSWORD" {
			t.Errorf("%+v", got)
		}
	})
}
