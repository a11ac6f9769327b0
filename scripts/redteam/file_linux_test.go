package redteam

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

var fileMoves = moves{
	"file-values":   fileValues,
	"weak-password": weakPassword,
	"file-names":    fileNames,
	"file-tokens":   fileTokens,
	"stolen-backup": stolenBackup,
}

// read returns a file.
func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// holds reports whether bytes have a text in them, as it is or encoded.
func holds(b []byte, text string) bool {
	forms := []string{text, hex.EncodeToString([]byte(text)), strings.ToUpper(hex.EncodeToString([]byte(text)))}
	// In base64 its middle stands wherever it begins.
	for skip := range 3 {
		whole := base64.StdEncoding.EncodeToString([]byte(text[skip:]))
		forms = append(forms, whole[:len(whole)-4])
	}
	for _, form := range forms {
		if bytes.Contains(b, []byte(form)) {
			return true
		}
	}
	return false
}

// lived returns a site on which values were kept, changed and deleted, one was
// fetched, and everything else with a secret in it was made, too; and all of those.
func lived(t *testing.T) (s *site, values, tokens []string) {
	t.Helper()
	s = newSite(t)
	variable, id, value := s.secret(t)
	_, deleted, gone := s.secret(t)
	next := canary()
	s.Admin(t, http.MethodPut, "/admin/secrets/"+id, object{"value": next}, nil)
	s.Admin(t, http.MethodDelete, "/admin/secrets/"+deleted, nil, nil)
	a := s.agent(t)
	token := a.Obtain(t, "app", variable).Token
	if a.Values(t, "app", token)[variable] != next {
		t.Fatal("the value is not delivered")
	}
	p := s.account(t, "admin")
	return s, []string{value, next, gone, s.password, p.password}, []string{s.AdminToken, token, a.AccessToken, p.AdminToken}
}

func fileValues(t *testing.T) outcome {
	t.Parallel()
	s, values, tokens := lived(t)
	s.stop(t)
	b := read(t, s.file())
	if !holds(b, "create_secret") {
		t.Fatal("not even the names of actions are found in the file")
	}
	for _, value := range append(values, tokens...) {
		if holds(b, value) {
			return open
		}
	}
	return stopped
}

func fileNames(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	path, agent := named("prod/payment"), named("bot")
	s.Secret(t, path, canary())
	s.Register(t, agent)
	s.stop(t)
	b := read(t, s.file())
	out, err := s.cortex("verify-audit", "--db", s.file(), "--unkeyed")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return unless(holds(b, path) && holds(b, agent), stopped)
}

// People choose such passwords, and thieves of files have lists of them.
func weakPassword(t *testing.T) outcome {
	t.Parallel()
	s := prepare(t)
	s.password = "letmein"
	s.env = append(s.env, "CORTEX_KEK_PASSWORD=letmein")
	s.serve(t)
	_, id, value := s.secret(t)
	s.stop(t)
	thief := prepare(t)
	if err := os.WriteFile(thief.file(), read(t, s.file()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, guess := range []string{"123456", "password", "letmein"} {
		if thief.launch("CORTEX_KEK_PASSWORD="+guess) != nil {
			continue
		}
		t.Cleanup(thief.program.Kill)
		var secret struct{ Value string }
		thief.Admin(t, http.MethodGet, "/admin/secrets/"+id, nil, &secret)
		return unless(secret.Value == value, stopped)
	}
	return stopped
}

// What stands in the file for a credential is shown to the server as one.
func fileTokens(t *testing.T) outcome {
	t.Parallel()
	s, _, tokens := lived(t)
	s.stop(t)
	texts := s.texts(t, "admin_token", "project_token", "login", "device", "session")
	s.serve(t)
	if len(texts) < 5 {
		t.Fatalf("only %q stands there", texts)
	}
	try := func(text string) bool {
		for _, r := range []servertest.Request{
			{Method: http.MethodGet, Path: "/admin/whoami", Header: http.Header{"X-Admin-Token": {text}}},
			{Method: http.MethodPost, Path: "/daemon/attest", Header: http.Header{"Authorization": {"Bearer " + text}}, Body: object{"attestation_pub": public(newKey(t)), "binary_sha256": servertest.BinarySHA256}},
			{Method: http.MethodPost, Path: "/device/token", Body: object{"device_code": text, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}},
		} {
			if !refused(t, s.Do(t, r)) {
				return true
			}
		}
		return false
	}
	for _, token := range []string{tokens[0], tokens[2]} {
		if !try(token) {
			t.Fatal("a good token is refused")
		}
	}
	for _, text := range texts {
		if try(text) {
			return open
		}
	}
	return stopped
}

// A backup without the password, and with it.
func stolenBackup(t *testing.T) outcome {
	t.Parallel()
	s, values, tokens := lived(t)
	file := filepath.Join(s.dir, "stolen.backup")
	if out, err := s.cortex("backup", "--url", s.URL, "--out", file); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b := read(t, file)
	for _, value := range append(values, tokens...) {
		if holds(b, value) {
			return open
		}
	}
	restore := func(password string) error {
		cmd := exec.Command(filepath.Join(bin, "cortex"), "restore", "--from", file, "--db", filepath.Join(s.dir, "restored.db"))
		cmd.Env = append(s.env, "CORTEX_KEK_PASSWORD="+password)
		return cmd.Run()
	}
	if restore("a guess") == nil {
		return open
	}
	if err := restore(s.password); err != nil {
		t.Fatalf("with the password: %v", err)
	}
	return stopped
}

// write writes a file that nobody else may read.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
