package e2e_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A server's clock is set forward and back by hours and days while it serves.
// What ends at a time has ended while the clock is past that, and no longer;
// what was used stays used; limits and patience do not move; and the trail says
// what the clock said. What only minutes of housekeeping under a wrong clock do
// is tested in package vault.
func TestClockSteps(t *testing.T) {
	s := newStage(t)
	var c e2e.Clock
	s.launch = c.Start
	server := s.serve("CORTEX_RATE_LIMITS=authorize=9/1m,failures=20/1m", "CORTEX_TRUSTED_PROXIES=127.0.0.1")
	defer c.Close()
	set := func(off time.Duration) {
		t.Helper()
		if err := c.Set(off); err != nil {
			t.Fatal(err)
		}
	}
	w := newWatcher(s)
	used := w.fetch(0)
	w.want("in time", used.send(), http.StatusOK, "")
	login := w.begin()
	w.want("a log-in", w.poll(login), http.StatusUnauthorized, api.AuthorizationPending)
	for range 20 {
		w.guess()
	}

	for _, off := range []time.Duration{5 * time.Hour, -5 * time.Hour} {
		set(off)
		w.want("an agent with another clock", w.fetch(0).send(), http.StatusUnauthorized, api.Unauthorized)
		w.want("an agent with the same clock", w.fetch(off).send(), http.StatusOK, "")
		w.want("one guess more", w.guess(), http.StatusTooManyRequests, api.RateLimited)
		w.Admin(t, "GET", "/admin/secrets/"+w.secret, nil, nil) // for the trail
	}
	for _, off := range []time.Duration{2 * time.Minute, -2 * time.Minute, 0} {
		set(off)
		w.want("in time, nearly", w.fetch(0).send(), http.StatusOK, "")
		if a := used.send(); a.Status != http.StatusUnauthorized || !strings.Contains(string(a.Body), "replay") {
			t.Errorf("a message that was used: %d %s", a.Status, a.Body)
		}
	}
	set(11 * time.Minute)
	w.want("a log-in that is over", w.poll(login), http.StatusUnauthorized, api.Unauthorized)
	set(15 * 24 * time.Hour)
	w.want("a token that is over", w.fetch(15*24*time.Hour).send(), http.StatusUnauthorized, api.TokenExpired)

	set(0)
	w.want("in time again", w.fetch(0).send(), http.StatusOK, "")
	w.want("a log-in that is not over", w.poll(login), http.StatusUnauthorized, api.AuthorizationPending)
	w.trail(-5*time.Hour, 5*time.Hour)
	s.stop(server)
	s.verifyAudit()
}

// A watcher has an agent with the token of a project, and a clock of its own.
type watcher struct {
	*servertest.Server
	t      *testing.T
	agent  *servertest.Agent
	token  string
	secret string
}

func newWatcher(s *stage) *watcher {
	w := &watcher{Server: &servertest.Server{URL: s.url, AdminToken: e2e.AdminToken, HTTP: http.DefaultClient}, t: s.t}
	w.agent = w.Enrol(w.t, "bot")
	w.secret = w.Secret(w.t, "openai_api_key", "sk-e2e")
	w.token = w.agent.Obtain(w.t, "app", "OPENAI_API_KEY").Token
	return w
}

func (w *watcher) want(what string, a servertest.Answer, status int, code api.Code) {
	w.t.Helper()
	if a.Status != status || a.Code() != string(code) {
		w.t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, code)
	}
}

// A message is a request that may be sent more than once.
type message struct {
	w      *watcher
	header http.Header
}

// fetch returns a fetch as an agent signs it whose clock is off by so much.
func (w *watcher) fetch(off time.Duration) message {
	at := proof.Attestation{
		SessionID: w.agent.SessionID, TS: time.Now().Add(off).Unix(), JTI: rand.Text(),
		BodySHA256: proof.BodyHash(nil), AuthTokenID: proof.AuthTokenID(w.token),
	}
	at.Signature = ed25519.Sign(w.agent.Attestation, at.Message("GET", "/project/secrets/app"))
	return message{w, http.Header{"Authorization": {"Bearer " + w.token}, "X-Daemon-Attestation": {at.Header()}}}
}

func (m message) send() servertest.Answer {
	m.w.t.Helper()
	return m.w.Do(m.w.t, servertest.Request{Method: "GET", Path: "/project/secrets/app", Header: m.header})
}

// begin begins a log-in and returns its code.
func (w *watcher) begin() string {
	w.t.Helper()
	var begun struct {
		Code string `json:"device_code"`
	}
	w.Do(w.t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: map[string]string{"client_id": "cortex-cli"}}).JSON(w.t, &begun)
	return begun.Code
}

func (w *watcher) poll(code string) servertest.Answer {
	w.t.Helper()
	return w.Do(w.t, servertest.Request{Method: "POST", Path: "/device/token", Body: map[string]string{"device_code": code, "grant_type": api.GrantTypeDeviceCode}})
}

// guess tries an admin token from somewhere else.
func (w *watcher) guess() servertest.Answer {
	w.t.Helper()
	h := http.Header{"X-Admin-Token": {"no-such-token-at-all"}, "X-Forwarded-For": {"192.0.2.1"}}
	return w.Do(w.t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: h})
}

// trail wants records of about both times, as far from now.
func (w *watcher) trail(offs ...time.Duration) {
	w.t.Helper()
	var rows []struct {
		Timestamp string `json:"timestamp"`
	}
	w.Admin(w.t, "GET", "/admin/audit-logs", nil, &rows)
	for _, off := range offs {
		found := 0
		for _, r := range rows {
			at, err := time.Parse(time.DateTime, r.Timestamp)
			if err != nil {
				w.t.Fatal(err)
			}
			if d := time.Since(at) + off; d.Abs() < patience {
				found++
			}
		}
		if found == 0 {
			w.t.Errorf("no record of %s", off)
		}
	}
}
