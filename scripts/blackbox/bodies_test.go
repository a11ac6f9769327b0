package blackbox

import (
	"maps"
	"net/http"
	"testing"
)

// Clients send members that a server may not know, and null for what they
// leave out.
func TestUnknownMembersAreIgnored(t *testing.T) {
	each(t, func(v *vault) {
		s := v.staged()
		more := object{"future": object{"a": []int{1}}, "regenerate_token": nil}
		s.discover(s.app, s.env(), more).wantError(http.StatusForbidden, "pending_approval")
		v.approve(v.pending(s.app))
		s.discover(s.app, s.env(), more).want(http.StatusOK)
		for path, body := range map[string]object{
			"/admin/secrets":                       {"key_path": v.named("k"), "secret_type": "KEY_VALUE", "value": "x", "description": nil, "namespace": nil},
			"/admin/agents":                        {"agent_id": v.named("a"), "agent_pub": public(newKey(v.t)), "description": nil, "namespace": nil},
			"/admin/policies":                      {"policy_name": v.named("p"), "agent_pattern": v.named("a"), "allowed_paths": []string{}, "denied_paths": nil},
			"/admin/namespaces":                    {"name": v.named("n"), "description": nil},
			"/admin/notification-channels":         {"channel_type": "slack", "name": v.named("c"), "enabled": false, "config": object{"webhook_url": "https://example.com/", "more": 1}, "description": nil},
			"/admin/projects/" + s.app + "/grants": {"secret_id": v.keep(v.named("g"), "x"), "env_var_name": nil},
		} {
			maps.Copy(body, object{"future": true})
			v.admin("POST", path, body).want(http.StatusCreated)
		}
	})
}

// Everything that is wrong with a request is told as JSON, to whoever may ask.
func TestBadRequestsAreToldAsJSON(t *testing.T) {
	each(t, func(v *vault) {
		for _, row := range []struct {
			method, path string
			body         any
			header       string
			status       int
		}{
			{"POST", "/admin/namespaces", `{"name":`, "", http.StatusBadRequest},
			{"POST", "/admin/namespaces", `{"name":"a","name":"b"}`, "", http.StatusBadRequest},
			{"POST", "/admin/namespaces", `{"name":7}`, "", http.StatusBadRequest},
			{"POST", "/admin/namespaces", `{}`, "", http.StatusBadRequest},
			{"POST", "/admin/namespaces", `{"name":"a"}`, "Content-Type: text/plain", http.StatusUnsupportedMediaType},
			{"POST", "/device/authorize", `[]`, "", http.StatusBadRequest},
			{"POST", "/device/token", `{}`, "", http.StatusBadRequest},
			{"POST", "/agent/discover", `nonsense`, "", 0},
			{"GET", "/admin/nothing", nil, "", http.StatusNotFound},
			{"GET", "/nothing", nil, "", http.StatusNotFound},
			{"GET", "/admin/secrets/", nil, "", http.StatusNotFound},
			{"PATCH", "/admin/secrets", nil, "", http.StatusMethodNotAllowed},
		} {
			headers := []string{"X-Admin-Token: " + v.token}
			if row.header != "" {
				headers = append(headers, row.header)
			}
			if row.status == 0 { // whoever has no session learns nothing of the body
				row.status = http.StatusBadRequest
				if v.attested {
					row.status = http.StatusUnauthorized
				}
			}
			v.send(row.method, row.path, row.body, headers...).wantError(row.status)
		}
	})
}
