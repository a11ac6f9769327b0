package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestSecrets(t *testing.T) {
	s := servertest.New(t)
	var made api.CreatedSecret
	a := s.TryAdmin(t, "POST", "/admin/secrets", `{"key_path":"openai_api_key","secret_type":"KEY_VALUE","value":"sk-1","description":"for the bot"}`)
	if a.Status != http.StatusCreated {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a.JSON(t, &made); made.KeyPath != "openai_api_key" || made.Namespace != "default" || made.ID == "" {
		t.Errorf("%+v", made)
	}
	s.Secret(t, "a_first_one", "x")

	var list []map[string]any
	s.Admin(t, "GET", "/admin/secrets", nil, &list)
	if len(list) != 2 || list[0]["key_path"] != "a_first_one" || list[1]["id"] != made.ID {
		t.Errorf("list %v", list)
	}
	wantMembers(t, list[1], "id", "key_path", "secret_type", "description", "namespace", "is_honey_token", "created_at", "version")

	detail := readSecret(t, s, made.ID)
	wantMembers(t, detail, "id", "key_path", "secret_type", "value", "description", "namespace", "is_honey_token", "created_at", "updated_at", "version", "max_versions")
	if detail["value"] != "sk-1" || detail["description"] != "for the bot" || detail["is_honey_token"] != false {
		t.Errorf("detail %v", detail)
	}

	var updated map[string]any
	s.Admin(t, "PUT", "/admin/secrets/"+made.ID, `{"value":"sk-2 \u00e9\n\"<&>","description":null}`, &updated)
	if updated["updated"] != true || updated["id"] != made.ID {
		t.Errorf("updated %v", updated)
	}
	detail = readSecret(t, s, made.ID)
	if detail["value"] != "sk-2 é\n\"<&>" || detail["description"] != "for the bot" {
		t.Errorf("after the update %v", detail)
	}

	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/secrets/"+made.ID, nil), http.StatusOK, `{"deleted":true}`)
	for _, method := range []string{"GET", "DELETE"} {
		wantError(t, s.TryAdmin(t, method, "/admin/secrets/"+made.ID, nil), http.StatusNotFound, api.NotFound)
	}
	wantError(t, s.TryAdmin(t, "PUT", "/admin/secrets/"+made.ID, `{"value":"x"}`), http.StatusNotFound, api.NotFound)
}

func readSecret(t *testing.T, s *servertest.Server, id string) map[string]any {
	t.Helper()
	var detail map[string]any
	s.Admin(t, "GET", "/admin/secrets/"+id, nil, &detail)
	return detail
}

func TestSecretsAreChecked(t *testing.T) {
	s := servertest.New(t)
	for name, body := range map[string]string{
		"no path":       `{"secret_type":"KEY_VALUE","value":"x"}`,
		"no value":      `{"key_path":"a","secret_type":"KEY_VALUE"}`,
		"null value":    `{"key_path":"a","secret_type":"KEY_VALUE","value":null}`,
		"number":        `{"key_path":"a","secret_type":"KEY_VALUE","value":5}`,
		"type":          `{"key_path":"a","secret_type":"OTHER","value":"x"}`,
		"empty path":    `{"key_path":"","secret_type":"KEY_VALUE","value":"x"}`,
		"dots":          `{"key_path":"a/../b","secret_type":"KEY_VALUE","value":"x"}`,
		"script":        `{"key_path":"<script>","secret_type":"KEY_VALUE","value":"x"}`,
		"namespace":     `{"key_path":"a","secret_type":"KEY_VALUE","value":"x","namespace":"a b"}`,
		"null flag":     `{"key_path":"a","secret_type":"KEY_VALUE","value":"x","is_honey_token":null}`,
		"twice":         `{"key_path":"a","key_path":"b","secret_type":"KEY_VALUE","value":"x"}`,
		"twice, escape": `{"key_path":"a","key_p\u0061th":"b","secret_type":"KEY_VALUE","value":"x"}`,
		"half a pair":   `{"key_path":"a","secret_type":"KEY_VALUE","value":"\ud800"}`,
		"case":          `{"key_path":"a","secret_type":"KEY_VALUE","Value":"x"}`,
	} {
		a := s.TryAdmin(t, "POST", "/admin/secrets", body)
		if a.Status != http.StatusBadRequest || a.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	var list []any
	if s.Admin(t, "GET", "/admin/secrets", nil, &list); len(list) != 0 {
		t.Errorf("left behind: %v", list)
	}
}

func TestSecretExists(t *testing.T) {
	s := servertest.New(t)
	s.Secret(t, "prod/key", "real")
	body := map[string]any{"key_path": "prod/key", "secret_type": "KEY_VALUE", "value": "x"}
	wantError(t, s.TryAdmin(t, "POST", "/admin/secrets", body), http.StatusConflict, api.Conflict)
	body["is_honey_token"] = true
	a := s.TryAdmin(t, "POST", "/admin/secrets", body)
	wantError(t, a, http.StatusConflict, api.Conflict)
	if !strings.Contains(string(a.Body), "exists") {
		t.Errorf("%s", a.Body)
	}
	// The same path stands in another namespace, which is made for it.
	body["namespace"] = "staging"
	s.SecretWith(t, body)
	var list []api.Secret
	if s.Admin(t, "GET", "/admin/secrets?namespace=staging", nil, &list); len(list) != 1 || !list[0].IsHoneyToken {
		t.Errorf("staging: %+v", list)
	}
	if s.Admin(t, "GET", "/admin/secrets", nil, &list); len(list) != 2 {
		t.Errorf("all: %+v", list)
	}
}

func TestSecretTypes(t *testing.T) {
	s := servertest.New(t)
	for _, kind := range []string{api.KeyValue, api.JSONConfig, api.TemplateConfig} {
		id := s.SecretWith(t, map[string]any{"key_path": "of/" + kind, "secret_type": kind, "value": `{"a":1}`})
		if d := readSecret(t, s, id); d["secret_type"] != kind || d["value"] != `{"a":1}` {
			t.Errorf("%v", d)
		}
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	s := servertest.New(t)
	for _, path := range []string{
		"secrets", "agents", "policies", "projects", "projects/nothing/grants", "pending-grants", "devices",
		"daemon-sessions", "allowed-daemon-versions",
	} {
		wantBody(t, s.TryAdmin(t, "GET", "/admin/"+path, nil), http.StatusOK, "[]")
	}
}
