package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

func TestVersions(t *testing.T) {
	s := servertest.New(t)
	id := s.Secret(t, "key", "one")
	path := "/admin/secrets/" + id
	wantBody(t, s.TryAdmin(t, "PUT", path, `{"value":"two","message":"why","if_version":1}`), http.StatusOK, `{"updated":true,"id":"`+id+`","version":2}`)
	a := s.TryAdmin(t, "PUT", path, `{"value":"three","if_version":1}`)
	wantError(t, a, http.StatusConflict, api.Conflict)
	if !strings.Contains(string(a.Body), "version 2") {
		t.Errorf("%s", a.Body)
	}
	var all []map[string]any
	s.Admin(t, "GET", path+"/versions", nil, &all)
	if len(all) != 2 || all[0]["version"] != 2.0 || all[0]["message"] != "why" || all[1]["message"] != nil || all[0]["created_by"] != "admin" {
		t.Errorf("versions %v", all)
	}
	wantMembers(t, all[0], "version", "created_at", "created_by", "message")
	var old map[string]any
	if s.Admin(t, "GET", path+"?version=1", nil, &old); old["value"] != "one" || old["version"] != 1.0 {
		t.Errorf("version 1: %v", old)
	}
	wantBody(t, s.TryAdmin(t, "POST", path+"/rollback", `{"version":1}`), http.StatusOK, `{"updated":true,"id":"`+id+`","version":3}`)
	if d := readSecret(t, s, id); d["value"] != "one" || d["version"] != 3.0 {
		t.Errorf("after the rollback %v", d)
	}
	if s.Admin(t, "GET", path+"/versions", nil, &all); all[0]["rolled_back_to"] != 1.0 {
		t.Errorf("versions %v", all)
	}
	for _, query := range []string{"?version=0", "?version=-1", "?version=x", "?version=1&version=2", "?version=99999999999999999999"} {
		wantError(t, s.TryAdmin(t, "GET", path+query, nil), http.StatusBadRequest, api.InvalidRequest)
	}
	wantError(t, s.TryAdmin(t, "GET", path+"?version=9", nil), http.StatusNotFound, api.NotFound)
	for _, body := range []string{`{}`, `{"version":0}`, `{"version":-1}`, `{"version":"1"}`, `{"version":1,"if_version":0}`} {
		wantError(t, s.TryAdmin(t, "POST", path+"/rollback", body), http.StatusBadRequest, api.InvalidRequest)
	}
	for _, body := range []string{`{"max_versions":0}`, `{"max_versions":101}`, `{"max_versions":-5}`, `{"if_version":0}`, `{"message":"m"}`, `{"expires_at":"soon"}`} {
		wantError(t, s.TryAdmin(t, "PUT", path, body), http.StatusBadRequest, api.InvalidRequest)
	}
}

func TestSecretAttributes(t *testing.T) {
	s := servertest.New(t)
	at := time.Now().Add(48 * time.Hour).UTC().Truncate(time.Second)
	id := s.SecretWith(t, map[string]any{
		"key_path": "app/key", "secret_type": "KEY_VALUE", "value": "x", "expires_at": at.Format(time.RFC3339),
		"tags": []string{"team=a", "b", "b"}, "max_versions": 3,
	})
	s.SecretWith(t, map[string]any{"key_path": "config", "secret_type": "JSON_CONFIG", "value": "{}"})
	d := readSecret(t, s, id)
	if d["expires_at"] != at.Format(time.DateTime) || d["max_versions"] != 3.0 || len(d["tags"].([]any)) != 2 {
		t.Errorf("%v", d)
	}
	count := func(query string, want int) {
		t.Helper()
		var list []api.Secret
		if s.Admin(t, "GET", "/admin/secrets"+query, nil, &list); len(list) != want {
			t.Errorf("%s: %d secrets, want %d", query, len(list), want)
		}
	}
	count("", 2)
	count("?tag=b", 1)
	count("?tag=a", 0)
	count("?prefix=app/", 1)
	count("?prefix=app/key/", 0)
	count("?type=JSON_CONFIG", 1)
	count("?type=KEY_VALUE&tag=team%3Da&prefix=a&namespace=default", 1)
	count("?deleted=true", 0)
	count("?deleted=false&limit=1", 1)
	for _, query := range []string{"?type=SSH", "?deleted=1", "?tag=a&tag=b"} {
		wantError(t, s.TryAdmin(t, "GET", "/admin/secrets"+query, nil), http.StatusBadRequest, api.InvalidRequest)
	}
	s.Admin(t, "PUT", "/admin/secrets/"+id, `{"expires_at":"","tags":[]}`, nil)
	if d := readSecret(t, s, id); d["expires_at"] != nil || d["tags"] != nil {
		t.Errorf("%v", d)
	}
	for name, body := range map[string]string{
		"past":    `{"expires_at":"2001-01-01 00:00:00"}`,
		"tag":     `{"tags":["a b"]}`,
		"script":  `{"tags":["<script>"]}`,
		"no tag":  `{"tags":[""]}`,
		"null":    `{"tags":[null]}`,
		"RTL tag": `{"tags":["\u202e"]}`,
		"long":    `{"tags":["` + strings.Repeat("a", 65) + `"]}`,
		"many":    `{"tags":["a1"` + strings.Repeat(`,"a"`, 32) + `]}`,
	} {
		a := s.TryAdmin(t, "PUT", "/admin/secrets/"+id, body)
		if a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

// What people write comes back as they wrote it, as JSON and as nothing else.
// What could play tricks on a reader is refused.
func TestTextsAreInert(t *testing.T) {
	s := servertest.New(t)
	const odd = "<script>alert('1')</script>\n\t\"quotes\" & \\ é 漢"
	id := s.SecretWith(t, map[string]any{"key_path": "key", "secret_type": "KEY_VALUE", "value": odd, "description": odd, "message": odd})
	s.Admin(t, "PUT", "/admin/secrets/"+id, map[string]any{"value": "2", "message": odd}, nil)
	if d := readSecret(t, s, id); d["description"] != odd {
		t.Errorf("%q", d["description"])
	}
	a := s.TryAdmin(t, "GET", "/admin/secrets/"+id+"/versions", nil)
	var all []api.SecretVersion
	if a.JSON(t, &all); *all[0].Message != odd || *all[1].Message != odd {
		t.Errorf("%s", a.Body)
	}
	if h := a.Header; h.Get("Content-Type") != "application/json" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", h)
	}
	for _, bad := range []string{"\u202e", "\u0000", "\u001b[2J", "\u200b", "\ufeff"} {
		for _, body := range []map[string]any{{"description": bad}, {"value": "x", "message": bad}, {"tags": []string{bad}}} {
			wantError(t, s.TryAdmin(t, "PUT", "/admin/secrets/"+id, body), http.StatusBadRequest, api.InvalidRequest)
		}
		wantError(t, s.TryAdmin(t, "POST", "/admin/secrets/"+id+"/rollback", map[string]any{"version": 1, "message": bad}), http.StatusBadRequest, api.InvalidRequest)
		for _, body := range []map[string]any{{"namespace": bad}, {"namespace": "default", "key_path": bad}} {
			wantError(t, s.TryAdmin(t, "POST", "/admin/secrets/"+id+"/shares", body), http.StatusBadRequest, api.InvalidRequest)
		}
		wantError(t, s.TryAdmin(t, "POST", "/admin/projects/p/grants", map[string]any{"secret_id": id, "json_pointer": "/" + bad}), http.StatusBadRequest, api.InvalidRequest)
	}
}

// The value of a generated secret is in no answer but that of who reads it.
func TestGenerate(t *testing.T) {
	s := servertest.New(t)
	a := s.TryAdmin(t, "POST", "/admin/secrets", `{"key_path":"deploy","secret_type":"KEY_VALUE","generate":{"type":"ed25519-ssh"}}`)
	var made api.CreatedSecret
	if a.JSON(t, &made); a.Status != http.StatusCreated || !strings.HasPrefix(made.PublicKey, "ssh-ed25519 AAAA") || !strings.HasSuffix(made.PublicKey, " deploy") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	d := readSecret(t, s, made.ID)
	if d["public_key"] != made.PublicKey || !strings.HasPrefix(d["value"].(string), "-----BEGIN OPENSSH PRIVATE KEY-----") {
		t.Errorf("%v", d["public_key"])
	}
	a = s.TryAdmin(t, "PUT", "/admin/secrets/"+made.ID, `{"generate":{"type":"password","length":20}}`)
	wantBody(t, a, http.StatusOK, `{"updated":true,"id":"`+made.ID+`","version":2}`)
	if d := readSecret(t, s, made.ID); len(d["value"].(string)) != 20 || d["public_key"] != nil {
		t.Errorf("%v", d)
	}
	for name, body := range map[string]string{
		"both":      `{"key_path":"a","secret_type":"KEY_VALUE","value":"x","generate":{"type":"uuid"}}`,
		"neither":   `{"key_path":"a","secret_type":"KEY_VALUE"}`,
		"null":      `{"key_path":"a","secret_type":"KEY_VALUE","generate":null}`,
		"no type":   `{"key_path":"a","secret_type":"KEY_VALUE","generate":{}}`,
		"type":      `{"key_path":"a","secret_type":"KEY_VALUE","generate":{"type":"rsa"}}`,
		"length":    `{"key_path":"a","secret_type":"KEY_VALUE","generate":{"type":"hex","length":4611686018427387904}}`,
		"of a JSON": `{"key_path":"a","secret_type":"JSON_CONFIG","generate":{"type":"uuid"}}`,
	} {
		if a := s.TryAdmin(t, "POST", "/admin/secrets", body); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
}

func TestUndeleteAndDestroy(t *testing.T) {
	s := servertest.New(t)
	id := s.Secret(t, "key", "one")
	path := "/admin/secrets/" + id
	wantError(t, s.TryAdmin(t, "POST", path+"/undelete", nil), http.StatusNotFound, api.NotFound)
	s.Admin(t, "DELETE", path, nil, nil)
	var gone []map[string]any
	if s.Admin(t, "GET", "/admin/secrets?deleted=true", nil, &gone); len(gone) != 1 || gone[0]["deleted_at"] == nil || gone[0]["destroyed_at"] == nil {
		t.Errorf("%v", gone)
	}
	if s.Admin(t, "GET", "/admin/secrets?deleted=true&limit=5", nil, &gone); len(gone) != 1 {
		t.Errorf("%v", gone)
	}
	other := s.Secret(t, "key", "other")
	a := s.TryAdmin(t, "POST", path+"/undelete", nil)
	wantError(t, a, http.StatusConflict, api.Conflict)
	s.Admin(t, "DELETE", "/admin/secrets/"+other, nil, nil)
	wantBody(t, s.TryAdmin(t, "POST", path+"/undelete", nil), http.StatusOK, `{"undeleted":true,"id":"`+id+`","key_path":"key","namespace":"default"}`)
	if d := readSecret(t, s, id); d["value"] != "one" {
		t.Errorf("%v", d)
	}
	for _, each := range []string{id, other} {
		var out api.DestroyedSecret
		s.Admin(t, "POST", "/admin/secrets/"+each+"/destroy", nil, &out)
		if !out.Destroyed || out.Versions != 1 || !strings.Contains(out.Note, "backups") {
			t.Errorf("%+v", out)
		}
		wantError(t, s.TryAdmin(t, "POST", "/admin/secrets/"+each+"/destroy", nil), http.StatusNotFound, api.NotFound)
	}
}

func TestShares(t *testing.T) {
	s := servertest.New(t)
	id := s.Secret(t, "key", "one")
	s.Admin(t, "POST", "/admin/namespaces", `{"name":"team"}`, nil)
	path := "/admin/secrets/" + id + "/shares"
	wantBody(t, s.TryAdmin(t, "GET", path, nil), http.StatusOK, "[]")
	a := s.TryAdmin(t, "POST", path, `{"namespace":"team","key_path":"there/key"}`)
	var made api.SecretShare
	if a.JSON(t, &made); a.Status != http.StatusCreated || made.Namespace != "team" || made.KeyPath != "there/key" || made.SharedBy != "admin" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantError(t, s.TryAdmin(t, "POST", path, `{"namespace":"team"}`), http.StatusConflict, api.Conflict)
	var all []api.SecretShare
	if s.Admin(t, "GET", path, nil, &all); len(all) != 1 || all[0] != made {
		t.Errorf("%+v", all)
	}
	// A grant names the namespace; without it the project is in the secret's own.
	var g api.CreatedGrant
	s.Admin(t, "POST", "/admin/projects/p/grants?namespace=team", map[string]any{"secret_id": id}, &g)
	if g.SecretKeyPath != "there/key" {
		t.Errorf("%+v", g)
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/projects/p/grants?namespace=other", map[string]any{"secret_id": id}), http.StatusNotFound, api.NotFound)
	var grants []api.Grant
	if s.Admin(t, "GET", "/admin/projects/p/grants?namespace=team", nil, &grants); len(grants) != 1 || grants[0].SecretNamespace != "team" {
		t.Errorf("%+v", grants)
	}
	wantBody(t, s.TryAdmin(t, "DELETE", path+"/team", nil), http.StatusOK, `{"deleted":true}`)
	wantError(t, s.TryAdmin(t, "DELETE", path+"/team", nil), http.StatusNotFound, api.NotFound)
	if s.Admin(t, "GET", "/admin/projects/p/grants?namespace=team", nil, &grants); len(grants) != 0 {
		t.Errorf("%+v", grants)
	}
}

func TestBulk(t *testing.T) {
	s := servertest.New(t)
	const canary = "canary-5d1e"
	body := map[string]any{"format": "dotenv", "content": "A=1\nB=" + canary + "\n", "prefix": "app/", "lowercase": true, "dry_run": true}
	const created = `{"dry_run":true,"created":["app/a","app/b"],"updated":[],"unchanged":[],"skipped":[],"conflicts":[],"invalid":[]}`
	wantBody(t, s.TryAdmin(t, "POST", "/admin/secrets/bulk", body), http.StatusOK, created)
	delete(body, "dry_run")
	wantBody(t, s.TryAdmin(t, "POST", "/admin/secrets/bulk", body), http.StatusOK, strings.Replace(created, "true", "false", 1))
	body["content"] = "A=2\nC=3\n"
	wantError(t, s.TryAdmin(t, "POST", "/admin/secrets/bulk", body), http.StatusConflict, api.Conflict)
	var list []api.Secret
	if s.Admin(t, "GET", "/admin/secrets?prefix=app/", nil, &list); len(list) != 2 {
		t.Errorf("%+v", list)
	}
	for _, bad := range []string{`{}`, `{"format":"dotenv"}`, `{"format":"xml","content":"A=1"}`, `{"format":"dotenv","content":"` + canary + `"}`, `{"format":"json","content":{"a":"b"}}`} {
		a := s.TryAdmin(t, "POST", "/admin/secrets/bulk", bad)
		wantError(t, a, http.StatusBadRequest, api.InvalidRequest)
		if strings.Contains(string(a.Body), canary) {
			t.Errorf("the answer quotes the content: %s", a.Body)
		}
	}
	if strings.Contains(s.Log(), canary) {
		t.Error("the log has the content")
	}
}
