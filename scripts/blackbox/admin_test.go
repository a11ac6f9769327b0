package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// mentions fails the test unless the error has one of these words: clients of
// old look for them.
func mentions(t *testing.T, a answer, words ...string) {
	t.Helper()
	text := strings.ToLower(a.object()["error"].(string))
	for _, word := range words {
		if strings.Contains(text, word) {
			return
		}
	}
	t.Errorf("%s: %q has none of %q", a.asked, text, words)
}

func TestAdminTokenIsRequired(t *testing.T) {
	each(t, func(v *vault) {
		for _, header := range []string{"X-Nothing: x", "X-Admin-Token: ", "X-Admin-Token: " + adminToken + "x", "X-Admin-Token: " + strings.ToUpper(adminToken), "Authorization: Bearer " + adminToken} {
			v.send("GET", "/admin/secrets", nil, header).wantError(http.StatusUnauthorized)
			v.send("POST", "/admin/secrets", object{"key_path": v.named("k"), "secret_type": "KEY_VALUE", "value": "x"}, header).wantError(http.StatusUnauthorized)
		}
		if v.admin("GET", "/admin/secrets", nil).find("key_path", v.named("k")) != nil {
			v.t.Error("a secret was kept for nobody")
		}
	})
}

func TestAgentIsCreatedListedAndDeleted(t *testing.T) {
	each(t, func(v *vault) {
		id, pub := v.named("bot"), public(newKey(v.t))
		made := v.admin("POST", "/admin/agents", object{"agent_id": id, "agent_pub": pub, "description": "d"}).want(http.StatusCreated).object()
		has(v.t, made, object{"agent_id": id, "namespace": "default"})
		has(v.t, v.admin("GET", "/admin/agents", nil).find("agent_id", id), object{"id": made["id"], "description": "d", "namespace": "default", "has_pubkey": true})
		v.admin("POST", "/admin/agents", object{"agent_id": id, "agent_pub": pub}).wantError(http.StatusConflict)
		v.admin("POST", "/admin/agents", object{"agent_id": id + "2", "agent_pub": " "}).wantError(http.StatusBadRequest)
		has(v.t, v.admin("DELETE", "/admin/agents/"+id, nil).want(http.StatusOK).object(), object{"deleted": true})
		if v.admin("GET", "/admin/agents", nil).find("agent_id", id) != nil {
			v.t.Error("it is listed still")
		}
		v.admin("DELETE", "/admin/agents/"+id, nil).wantError(http.StatusNotFound)
	})
}

func TestPolicyIsCreatedListedAndDeleted(t *testing.T) {
	each(t, func(v *vault) {
		name := v.named("policy")
		policy := object{"policy_name": name, "agent_pattern": v.named("bot") + "*", "allowed_paths": []string{"a/*"}, "denied_paths": []string{"a/b"}}
		made := v.admin("POST", "/admin/policies", policy).want(http.StatusCreated).object()
		has(v.t, made, object{"policy_name": name})
		id, _ := made["id"].(string)
		has(v.t, v.admin("GET", "/admin/policies", nil).find("policy_name", name), object{"id": id, "agent_pattern": policy["agent_pattern"], "allowed_paths": policy["allowed_paths"], "denied_paths": policy["denied_paths"]})
		v.admin("POST", "/admin/policies", policy).wantError(http.StatusConflict)
		has(v.t, v.admin("DELETE", "/admin/policies/"+id, nil).want(http.StatusOK).object(), object{"deleted": true})
		if v.admin("GET", "/admin/policies", nil).find("policy_name", name) != nil {
			v.t.Error("it is listed still")
		}
		v.admin("DELETE", "/admin/policies/"+id, nil).wantError(http.StatusNotFound)
	})
}
