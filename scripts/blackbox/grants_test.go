package blackbox

import (
	"net/http"
	"testing"
)

func TestGrantIsCreatedListedAndDeleted(t *testing.T) {
	each(t, func(v *vault) {
		secret, list := v.keep(v.named("k"), "x"), "/admin/projects/"+v.named("app")+"/grants"
		made := v.admin("POST", list, object{"secret_id": secret, "env_var_name": "OPENAI_API_KEY"}).want(http.StatusCreated).object()
		has(v.t, made, object{"project_name": v.named("app"), "secret_id": secret, "secret_key_path": v.named("k"), "env_var_name": "OPENAI_API_KEY"})
		row := v.admin("GET", list, nil).find("id", made["id"])
		has(v.t, row, object{"env_var_name": "OPENAI_API_KEY", "secret_id": "", "secret_key_path": v.named("k"), "secret_namespace": "default", "granted_by": "admin"})
		v.admin("POST", list, object{"secret_id": secret}).wantError(http.StatusConflict)
		v.admin("POST", list, object{"secret_id": "00000000-0000-4000-8000-000000000001"}).wantError(http.StatusNotFound)
		one := list + "/" + made["id"].(string)
		v.admin("DELETE", "/admin/projects/"+v.named("other")+"/grants/"+made["id"].(string), nil).wantError(http.StatusNotFound)
		has(v.t, v.admin("DELETE", one, nil).want(http.StatusOK).object(), object{"deleted": true, "id": made["id"]})
		if got := v.admin("GET", list, nil).want(http.StatusOK); string(got.body) != "[]\n" && string(got.body) != "[]" {
			v.t.Errorf("%s", got.body)
		}
	})
}

// What could not be delivered in a variable cannot be granted as one, and a
// grant of JSON delivers JSON.
func TestEveryGrantIsDelivered(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		list := "/admin/projects/" + s.app + "/grants"
		template := v.keepAs(object{"key_path": v.named("page"), "secret_type": "TEMPLATE_CONFIG", "value": "x"})
		v.admin("POST", list, object{"secret_id": template}).wantError(http.StatusBadRequest)
		v.grant(s.app, v.keepAs(object{"key_path": v.named("doc"), "secret_type": "JSON_CONFIG", "value": `{"a": [1]}`}))
		got := s.obtain(s.app, s.env()+variable(v.named("doc")))
		has(v.t, s.values(s.app, got["project_token"]), object{variable(v.named("doc")): `{"a": [1]}`})
	})
}

func TestSecretOfAnotherNamespaceDoesNotMap(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		foreign, namespace := v.named("foreign_key"), v.named("staging")
		v.grant(s.app, v.keepAs(object{"key_path": foreign, "secret_type": "KEY_VALUE", "value": "x", "namespace": namespace}))
		got := s.obtain(s.app, s.env()+variable(foreign)+"=\n")
		has(v.t, got, object{"full_matched": false, "unmatched_keys": []string{variable(foreign)}})
		if len(s.values(s.app, got["project_token"])) != 2 {
			v.t.Errorf("%v", got)
		}
	})
}

func TestDeniedPathDoesNotMap(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		v.admin("POST", "/admin/policies", object{"policy_name": v.named("no db"), "agent_pattern": s.id, "allowed_paths": []string{}, "denied_paths": []string{s.db}}).want(http.StatusCreated)
		got := s.obtain(s.app, s.env())
		has(v.t, got, object{"unmatched_keys": []string{variable(s.db)}})
		has(v.t, got["mapped_keys"].(object), object{variable(s.key): s.key, variable(s.db): nil})
	})
}

// A policy counts for tokens that were issued before it, too, and speaks of
// the agent.
func TestDeniedPathIsNotFetched(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		token := s.obtain(s.app, s.env())["project_token"]
		v.admin("POST", "/admin/policies", object{"policy_name": v.named("late"), "agent_pattern": s.id, "allowed_paths": []string{s.key}}).want(http.StatusCreated)
		if got := s.values(s.app, token); len(got) != 1 || got[variable(s.key)] != "sk-1" {
			v.t.Errorf("%v", got)
		}
	})
}
