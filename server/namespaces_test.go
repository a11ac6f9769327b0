package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestNamespaces(t *testing.T) {
	s := servertest.New(t)
	a := s.TryAdmin(t, "POST", "/admin/namespaces", `{"name":" staging ","description":"x"}`)
	wantBody(t, a, http.StatusCreated, `{"name":"staging","description":"x"}`)
	wantBody(t, s.TryAdmin(t, "POST", "/admin/namespaces", `{"name":"beta"}`), http.StatusCreated, `{"name":"beta","description":null}`)
	wantError(t, s.TryAdmin(t, "POST", "/admin/namespaces", `{"name":"staging"}`), http.StatusConflict, api.Conflict)
	for _, body := range []string{`{"name":" "}`, `{"name":""}`, `{}`, `{"name":"a b"}`, `{"name":"../x"}`} {
		wantError(t, s.TryAdmin(t, "POST", "/admin/namespaces", body), http.StatusBadRequest, api.InvalidRequest)
	}
	var list []map[string]any
	if s.Admin(t, "GET", "/admin/namespaces", nil, &list); len(list) != 3 || list[0]["name"] != "beta" || list[1]["name"] != "default" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "name", "description", "created_at")

	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/namespaces/staging", nil), http.StatusOK, `{"deleted":true,"name":"staging"}`)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/namespaces/staging", nil), http.StatusNotFound, api.NotFound)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/namespaces/default", nil), http.StatusBadRequest, api.InvalidRequest)
}

func TestNamespaceInUse(t *testing.T) {
	s := servertest.New(t)
	id := s.SecretWith(t, map[string]any{"key_path": "a", "secret_type": "KEY_VALUE", "value": "x", "namespace": "made-for-it"})
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/namespaces/made-for-it", nil), http.StatusConflict, api.Conflict)
	s.Admin(t, "DELETE", "/admin/secrets/"+id, nil, nil)
	s.Admin(t, "DELETE", "/admin/namespaces/made-for-it", nil, nil)
}

// A secret that could not be made leaves no namespace behind.
func TestFailedSecretMakesNoNamespace(t *testing.T) {
	s := servertest.New(t)
	wantError(t, s.TryAdmin(t, "POST", "/admin/secrets", `{"key_path":"..","secret_type":"KEY_VALUE","value":"x","namespace":"ghost"}`), http.StatusBadRequest, api.InvalidRequest)
	var list []api.Namespace
	if s.Admin(t, "GET", "/admin/namespaces", nil, &list); len(list) != 1 {
		t.Errorf("%+v", list)
	}
}

func TestNamespacesIsolate(t *testing.T) {
	s := unlimited(t)
	id := s.SecretWith(t, map[string]any{"key_path": "openai_api_key", "secret_type": "KEY_VALUE", "value": "x", "namespace": "staging"})
	s.Grant(t, "app", id)
	a := s.Enrol(t, "bot") // in default
	d := a.Discover(t, "app", "OPENAI_API_KEY")
	if len(d.MappedKeys) != 0 || len(d.UnmatchedKeys) != 1 {
		t.Errorf("%+v", d)
	}
	if v := a.Values(t, "app", d.Token); len(v) != 0 {
		t.Errorf("%v", v)
	}
}
