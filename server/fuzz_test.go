package server_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// bodies are routes that read one, each with one it takes. Those that stretch a
// password are left out: they would do nothing else.
var bodies = []struct{ route, example string }{
	{"POST /admin/namespaces", `{"name":"team","description":"d"}`},
	{"POST /admin/secrets", `{"key_path":"a/b","secret_type":"JSON_CONFIG","value":"{\"a\":[1]}","tags":["x"],"expires_at":"2099-01-01 00:00:00","max_versions":3}`},
	{"POST /admin/secrets", `{"key_path":"c","secret_type":"KEY_VALUE","generate":{"type":"password","length":12}}`},
	{"POST /admin/secrets/bulk", `{"format":"dotenv","content":"A=1\nexport B='2'\n","prefix":"app/","lowercase":true,"dry_run":true}`},
	{"POST /admin/secrets/bulk", `{"format":"json","content":"{\"a\":{\"b\":1}}","on_conflict":"update"}`},
	{"PUT /admin/secrets/{id}", `{"value":"two","message":"why","if_version":1,"tags":[],"expires_at":""}`},
	{"POST /admin/secrets/{id}/rollback", `{"version":1,"if_version":2}`},
	{"POST /admin/secrets/{id}/shares", `{"namespace":"team","key_path":"there"}`},
	{"POST /admin/agents", `{"agent_id":"bot","agent_pub":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg","description":"d","namespace":"team"}`},
	{"POST /admin/policies", `{"policy_name":"p","agent_pattern":"bot*","allowed_paths":["a/*"],"denied_paths":["a/b"]}`},
	{"PUT /admin/projects/app/settings", `{"token_ttl_seconds":86400}`},
	{"POST /admin/projects/app/grants", `{"secret_id":"{id}","env_var_name":"X"}`},
	{"POST /admin/pending-grants/x/approve", `{"approved_keys":["A"],"remap":{"A":"a/b"},"auto_approval_days":3}`},
	{"POST /admin/freeze", `{"kind":"namespace","name":"team"}`},
	{"POST /admin/unfreeze", `{"kind":"namespace","name":"team"}`},
	{"POST /admin/web/device/approve", `{"user_code":"ABCD-EFGH","agent_id":"bot"}`},
	{"POST /admin/allowed-daemon-versions", `{"binary_sha256":"` + strings.Repeat("ab", 32) + `","version":"1","enabled":false}`},
	{"POST /admin/notification-channels", `{"channel_type":"webhook","name":"w","config":{"url":"https://example.com/","secret":"0123456789abcdef"},"events":["vault_seal"],"template":"{{kind}}"}`},
	{"POST /device/authorize", `{"agent_id":"bot","hostname":"h"}`},
	{"POST /device/token", `{"device_code":"x","grant_type":"urn:ietf:params:oauth:grant-type:device_code"}`},
	{"POST /daemon/attest", `{"attestation_pub":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg","binary_sha256":"` + strings.Repeat("ab", 32) + `"}`},
	{"POST /agent/discover", `{"agent_id":"bot","context":{"project_name":"app","file_content":"A=\nB="},"nonce":"0123456789","ts":1,"auth_proof":"x"}`},
}

// sender returns what sends a body to a route, with all that its caller must show
// to have it read.
func sender(t testing.TB) func(t testing.TB, route, body string) servertest.Answer {
	s := servertest.With(t, servertest.Config{Unlimited: true, Direct: true, NoAttestation: true})
	id := s.Secret(t, "kept", "value")
	agent := s.Register(t, "sender")
	agent.Login(t)
	return func(t testing.TB, route, body string) servertest.Answer {
		method, path, _ := strings.Cut(strings.ReplaceAll(route, "{id}", id), " ")
		return s.Do(t, servertest.Request{
			Method: method, Path: path,
			Header: http.Header{"X-Admin-Token": {s.AdminToken}, "Authorization": {"Bearer " + agent.AccessToken}},
			Body:   []byte(strings.ReplaceAll(body, "{id}", id)),
		})
	}
}

// The bodies that are made up get as far as they can: to what reads them.
func TestBodiesAreRead(t *testing.T) {
	send := sender(t)
	for _, b := range bodies {
		a := send(t, b.route, `{"x":1,"x":2}`)
		if a.Status != http.StatusBadRequest || !strings.Contains(string(a.Body), "two members of one name") {
			t.Errorf("%s: %d %s", b.route, a.Status, a.Body)
		}
	}
}

// Whatever a body holds, the answer is JSON, an error among them has a code, and
// nothing that the server did not expect has happened.
func FuzzBody(f *testing.F) {
	send := sender(f)
	for i, b := range bodies {
		f.Add(uint8(i), []byte(b.example))
		f.Add(uint8(i), []byte(`{"`+strings.Repeat("[", 40)))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		b := bodies[int(which)%len(bodies)]
		a := send(t, b.route, string(body))
		if a.Status >= http.StatusInternalServerError {
			t.Errorf("%s: %d %s", b.route, a.Status, a.Body)
		}
		if !json.Valid(a.Body) || a.Status/100 != 2 && a.Code() == "" {
			t.Errorf("%s: %d %q", b.route, a.Status, a.Body)
		}
	})
}
