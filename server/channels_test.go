package server_test

import (
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestChannels(t *testing.T) {
	s := servertest.New(t)
	const path = "/admin/notification-channels"
	wantBody(t, s.TryAdmin(t, "GET", path, nil), http.StatusOK, "[]")
	a := s.TryAdmin(t, "POST", path, `{"channel_type":"slack","name":"ops","config":{"webhook_url":"https://hooks.example/canary"}}`)
	wantCreated(t, a)
	var made map[string]any
	if a.JSON(t, &made); made["name"] != "ops" || made["channel_type"] != "slack" {
		t.Errorf("%v", made)
	}
	wantMembers(t, made, "id", "name", "channel_type")
	id := made["id"].(string)
	wantError(t, s.TryAdmin(t, "POST", path, `{"channel_type":"discord","name":"ops","config":{"webhook_url":"https://x.example/"}}`), http.StatusConflict, api.Conflict)
	for name, body := range map[string]string{
		"type":       `{"channel_type":"sms","name":"x","config":{}}`,
		"no config":  `{"channel_type":"slack","name":"x"}`,
		"null":       `{"channel_type":"slack","name":"x","config":null}`,
		"empty":      `{"channel_type":"slack","name":"x","config":{}}`,
		"blank name": `{"channel_type":"slack","name":" ","config":{"webhook_url":"https://x.example/"}}`,
		"template":   `{"channel_type":"slack","name":"x","config":{"webhook_url":"https://x.example/"},"template":"{{password}}"}`,
		"event":      `{"channel_type":"slack","name":"x","config":{"webhook_url":"https://x.example/"},"events":["everything"]}`,
		"severity":   `{"channel_type":"slack","name":"x","config":{"webhook_url":"https://x.example/"},"min_severity":"loud"}`,
	} {
		if answer := s.TryAdmin(t, "POST", path, body); answer.Status != http.StatusBadRequest || answer.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	var list []map[string]any
	if s.Admin(t, "GET", path, nil, &list); len(list) != 1 || list[0]["enabled"] != true || list[0]["description"] != nil {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "id", "channel_type", "name", "enabled", "description", "created_at", "updated_at")

	wantBody(t, s.TryAdmin(t, "PUT", path+"/"+id, `{"enabled":false,"description":"d","config":{"webhook_url":"https://y.example/"},"events":["freeze"],"min_severity":"warning","namespaces":["prod"],"template":"{{title}}"}`), http.StatusOK, `{"updated":true,"id":"`+id+`"}`)
	if s.Admin(t, "GET", path, nil, &list); list[0]["enabled"] != false || list[0]["description"] != "d" || list[0]["min_severity"] != "warning" || list[0]["template"] != "{{title}}" {
		t.Errorf("%v", list)
	}
	wantError(t, s.TryAdmin(t, "PUT", path+"/"+id, `{"config":{"bot_token":"x"}}`), http.StatusBadRequest, api.InvalidRequest)
	wantError(t, s.TryAdmin(t, "PUT", path+"/"+id, `{"template":"{{nope}}"}`), http.StatusBadRequest, api.InvalidRequest)
	for _, answer := range []servertest.Answer{
		s.TryAdmin(t, "PUT", path+"/nope", `{"enabled":false}`),
		s.TryAdmin(t, "PUT", path+"/nope", `{"config":{"webhook_url":"https://y.example/"}}`),
		s.TryAdmin(t, "DELETE", path+"/nope", nil),
		s.TryAdmin(t, "POST", path+"/nope/test", nil),
		s.TryAdmin(t, "GET", path+"/nope/dead-letters", nil),
		s.TryAdmin(t, "POST", path+"/nope/dead-letters/retry", nil),
		s.TryAdmin(t, "POST", path+"/"+id+"/dead-letters/7/retry", nil),
		s.TryAdmin(t, "POST", path+"/"+id+"/dead-letters/x/retry", nil),
	} {
		wantError(t, answer, http.StatusNotFound, api.NotFound)
	}
	wantError(t, s.TryAdmin(t, "POST", path+"/"+id+"/test?wait=maybe", nil), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, s.TryAdmin(t, "GET", path+"/"+id+"/dead-letters", nil), http.StatusOK, "[]")
	wantBody(t, s.TryAdmin(t, "DELETE", path+"/"+id, nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", path+"/"+id, nil), http.StatusNotFound, api.NotFound)

	var rows []api.AuditRow
	s.Admin(t, "GET", "/admin/audit-logs", nil, &rows)
	seen := map[string]string{}
	for _, r := range rows {
		if r.Status == "success" && r.ResourcePath != nil {
			seen[r.Action] = *r.ResourcePath
		}
	}
	for _, action := range []string{"create_notification_channel", "update_notification_channel", "delete_notification_channel"} {
		if seen[action] != "ops" {
			t.Errorf("%s is recorded with %q", action, seen[action])
		}
	}
}
