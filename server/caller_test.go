package server_test

import (
	"crypto/ed25519"
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// described returns the headers of a fetch, with a description of its caller that
// the session's key signed.
func described(t *testing.T, a *servertest.Agent, path, bearer string) http.Header {
	t.Helper()
	attestation := a.Sign(http.MethodGet, path, nil, proof.AuthTokenID(bearer))
	parsed, err := proof.ParseAttestation(attestation)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set("Authorization", "Bearer "+bearer)
	h.Set("X-Daemon-Attestation", attestation)
	h.Set("X-Cortex-Caller-Pid", "4242")
	h.Set("X-Cortex-Caller-Cwd", "/srv/app")
	message := proof.CallerMessage(parsed.JTI, proof.CallerDigest(h.Get))
	h.Set("X-Cortex-Caller-Proof", proof.EncodeSignature(ed25519.Sign(a.Attestation, message)))
	return h
}

// What a daemon says of its caller is recorded as signed if it was, and refused if
// it is not what was signed.
func TestCallerProof(t *testing.T) {
	s := unlimited(t)
	s.Grant(t, "app", s.Secret(t, "key", "v"))
	a := s.Enrol(t, "bot")
	bearer := a.Obtain(t, "app", "KEY").Token
	const path = "/project/secrets/app"
	fetch := func(change func(http.Header)) servertest.Answer {
		h := described(t, a, path, bearer)
		change(h)
		return s.Do(t, servertest.Request{Method: http.MethodGet, Path: path, Header: h})
	}
	recorded := func() (auth, cwd string) {
		var rows []struct {
			Actor     struct{ Auth string }
			CallerCwd string `json:"caller_cwd"`
		}
		s.Admin(t, "GET", "/admin/audit-logs?action=get_secrets&limit=1", nil, &rows)
		return rows[0].Actor.Auth, rows[0].CallerCwd
	}
	if answer := fetch(func(http.Header) {}); answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	if auth, cwd := recorded(); auth != "project-token+caller-proof" || cwd != "/srv/app" {
		t.Errorf("recorded as %s, %s", auth, cwd)
	}
	other := described(t, a, path, bearer).Get("X-Cortex-Caller-Proof")
	for name, change := range map[string]func(http.Header){
		"another directory": func(h http.Header) { h.Set("X-Cortex-Caller-Cwd", "/home/eve") },
		"one thing more":    func(h http.Header) { h.Set("X-Cortex-Hostname", "laptop") },
		"one thing less":    func(h http.Header) { h.Del("X-Cortex-Caller-Pid") },
		"another request's": func(h http.Header) { h.Set("X-Cortex-Caller-Proof", other) },
		"no signature":      func(h http.Header) { h.Set("X-Cortex-Caller-Proof", "x") },
		"the agent's key": func(h http.Header) {
			h.Set("X-Cortex-Caller-Proof", proof.EncodeSignature(ed25519.Sign(a.Key, proof.CallerMessage("x", proof.CallerDigest(h.Get)))))
		},
	} {
		answer := fetch(change)
		if answer.Status != http.StatusUnauthorized || answer.Code() != string(api.Unauthorized) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
	// Daemons of other makes sign nothing, and that is to be seen.
	if answer := fetch(func(h http.Header) { h.Del("X-Cortex-Caller-Proof") }); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	if auth, _ := recorded(); auth != "project-token" {
		t.Errorf("recorded as %s", auth)
	}
}
