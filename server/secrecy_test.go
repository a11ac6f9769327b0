package server_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// Secrets are put into every place of a request that people and programs put
// them into, the wrong ones included. None may show in the log.
func TestSecretsStayOutOfTheLog(t *testing.T) {
	s := unlimited(t)
	const canary = "canary-8c1f7a"
	n := 0
	next := func() string {
		n++
		return canary + strings.Repeat("x", n)
	}
	id := s.Secret(t, "openai_api_key", next())
	s.Grant(t, "app", id)
	s.Admin(t, "PUT", "/admin/secrets/"+id, map[string]string{"value": next()}, nil)
	readSecret(t, s, id)
	a := s.Enrol(t, "bot")
	got := a.Obtain(t, "app", "OPENAI_API_KEY")
	a.Values(t, "app", got.Token)
	signed := a.Discovery("app", "OPENAI_API_KEY")
	signed.RegenerateToken, signed.SignedToken = new(true), true
	var second servertest.Discovered
	a.Send(t, signed).JSON(t, &second)

	// An old daemon sends the whole file, values included.
	whole := a.Discovery("app", "OPENAI_API_KEY")
	whole.Context["file_content"] = "OPENAI_API_KEY=" + next() + "\n" + next() + "\n"
	whole.RegenerateToken = new(true)
	a.Send(t, whole)

	for _, body := range []string{
		`{"key_path":"` + next() + ` /","secret_type":"KEY_VALUE","value":"` + next() + `"}`,
		`{"key_path":"a","secret_type":"` + next() + `","value":"x"}`,
		`{"key_path":"a","secret_type":"KEY_VALUE","value":["` + next() + `"]}`,
		`{"key_path":["` + next() + `"],"secret_type":"KEY_VALUE","value":"x"}`,
		`{"` + next() + `":1,"` + canary + `":2`,
		`{"key_path":"a","secret_type":"KEY_VALUE","value":"` + next() + `\ud800"}`,
		`"` + next() + `"`,
	} {
		if answer := s.TryAdmin(t, "POST", "/admin/secrets", body); answer.Status != http.StatusBadRequest {
			t.Errorf("%s: %d", body, answer.Status)
		}
	}
	for _, r := range []servertest.Request{
		{Method: "GET", Path: "/project/secrets/" + next()},
		{Method: "GET", Path: "/project/secrets/app", Header: http.Header{"Authorization": {"Bearer " + next()}}},
		{Method: "GET", Path: "/project/secrets/app?token=" + next(), Header: http.Header{"Authorization": {"Basic " + next()}}},
		{Method: "GET", Path: "/" + next()},
		{Method: "GET", Path: "/admin/secrets", Header: http.Header{"X-Admin-Token": {next()}}},
		{Method: "DELETE", Path: "/admin/secrets/" + next(), Header: http.Header{"X-Admin-Token": {s.AdminToken}}},
		{Method: "POST", Path: "/daemon/attest", Body: `{}`, Header: http.Header{"Authorization": {"Bearer " + next()}}},
		{Method: "POST", Path: "/agent/discover", Body: `{"` + next() + `"`, Header: http.Header{"X-Daemon-Attestation": {next()}}},
		{Method: "POST", Path: "/device/token", Body: `{"device_code":"` + next() + `"}`},
		{Method: strings.ToUpper(strings.ReplaceAll(next(), "-", "")), Path: "/health"},
	} {
		s.Do(t, r)
	}
	log := strings.ToLower(s.Log())
	if len(log) < 1000 || !strings.Contains(log, "route=") {
		t.Fatalf("nothing is logged: %q", log)
	}
	for name, secret := range map[string]string{
		"a canary": canary, "the same": strings.ReplaceAll(canary, "-", ""), "base64": base64.StdEncoding.EncodeToString([]byte(canary))[:16],
		"the admin token": s.AdminToken, "the access token": a.AccessToken, "a project token": got.Token, "its successor": second.Token,
		"a JWT": second.Signed, "the password": servertest.Password,
	} {
		if secret == "" || strings.Contains(log, strings.ToLower(secret)) {
			t.Errorf("%s is in the log", name)
		}
	}
}

// What opens something is in the vault's file sealed or as a hash.
func TestCredentialsStayOutOfTheFile(t *testing.T) {
	s := unlimited(t)
	const canary = "canary-8c1f7a"
	s.Grant(t, "app", s.Secret(t, "openai_api_key", canary))
	a := s.Enrol(t, "bot")
	got := a.Obtain(t, "app", "OPENAI_API_KEY")
	signed := a.Discovery("app", "OPENAI_API_KEY")
	signed.RegenerateToken, signed.SignedToken = new(true), true
	var second servertest.Discovered
	a.Send(t, signed).JSON(t, &second)
	var device api.DeviceAuthorization
	s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`}).JSON(t, &device)
	file, err := os.ReadFile(s.DB.Path())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(file, []byte("openai_api_key")) {
		t.Fatal("nothing is in the file")
	}
	for name, secret := range map[string]string{
		"a value": canary, "the admin token": s.AdminToken, "the access token": a.AccessToken, "a project token": got.Token,
		"its successor": second.Token, "a JWT": second.Signed, "a device code": string(device.DeviceCode.Reveal()), "the password": servertest.Password,
	} {
		raw, err := hex.DecodeString(secret)
		if secret == "" || bytes.Contains(file, []byte(secret)) || err == nil && bytes.Contains(file, raw) {
			t.Errorf("%s is in the file", name)
		}
	}
}

// Values appear in the two answers that are for them, and nowhere else.
func TestValuesAppearNowhereElse(t *testing.T) {
	s := unlimited(t)
	const canary = "canary-8c1f7a"
	id := s.Secret(t, "openai_api_key", canary)
	s.Grant(t, "app", id)
	a := s.Enrol(t, "bot")
	a.Obtain(t, "app", "OPENAI_API_KEY")
	s.Admin(t, "POST", "/admin/rotate-key", map[string]string{"new_kek_password": "next"}, nil)
	for _, route := range documented(t) {
		if route.method != "GET" || !strings.HasPrefix(route.path, "/admin/") || strings.Contains(route.path, "{id}") {
			continue
		}
		path := strings.NewReplacer("{project}", "app").Replace(route.path)
		if answer := s.TryAdmin(t, "GET", path, nil); answer.Status != http.StatusOK || strings.Contains(string(answer.Body), canary) {
			t.Errorf("%s: %d %s", path, answer.Status, answer.Body)
		}
	}
}

// What an error says comes from a table; what it wraps goes to the log.
func TestErrorsSayLittle(t *testing.T) {
	s := servertest.New(t)
	for _, a := range []servertest.Answer{
		s.TryAdmin(t, "GET", "/admin/secrets/nope", nil),
		s.TryAdmin(t, "POST", "/admin/projects/p/grants", api.CreateGrant{SecretID: "nope"}),
		poll(t, s, "nope"),
	} {
		var e api.Error
		a.JSON(t, &e)
		for _, word := range []string{"nope", "bucket", "row", "tx", ".go", "store", "secret:"} {
			if strings.Contains(strings.ToLower(e.Message), word) {
				t.Errorf("%q says %q", e.Message, word)
			}
		}
		if b, err := json.Marshal(e); err != nil || strings.Contains(string(b), "details") {
			t.Errorf("%s, %v", b, err)
		}
	}
}
