package redteam

import (
	"crypto/ed25519"
	"crypto/rand"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

var clockMoves = moves{
	"stale-request": staleRequest,
	"clock-set":     clockSet,
	"clock-prunes":  func(t *testing.T) outcome { t.Parallel(); return pruned() },
}

// early is what takes long and little, and is begun before everything else.
var early = []func() outcome{pruned}

const day = 24 * time.Hour

// A site with a clock of its own. set sets it.
func clockedSite(t *testing.T) (s *site, set func(time.Duration)) {
	t.Helper()
	var c e2e.Clock
	s = prepare(t)
	s.begin = c.Start
	s.serve(t)
	t.Cleanup(func() { c.Close() })
	return s, func(off time.Duration) {
		t.Helper()
		if err := c.Set(off); err != nil {
			t.Fatal(err)
		}
	}
}

// Somebody finds an old request, and says yes.
func staleRequest(t *testing.T) outcome {
	t.Parallel()
	s, set := clockedSite(t)
	variable, _, _ := s.secret(t)
	a := s.agent(t)
	approve := func(age time.Duration) bool {
		set(0)
		app := named("app")
		a.Send(t, a.Discovery(app, variable))
		set(age)
		return !refused(t, s.TryAdmin(t, http.MethodPost, "/admin/pending-grants/"+requests(t, s.Server, app)[0].ID+"/approve", object{}))
	}
	if !approve(29 * day) {
		t.Fatal("it cannot be approved in time")
	}
	return unless(approve(31*day), stopped)
}

// What has ended, and what was used, under a clock that goes forth and back.
func clockSet(t *testing.T) outcome {
	t.Parallel()
	s, set := clockedSite(t)
	variable, _, value := s.secret(t)
	a := s.agent(t)
	token := a.Obtain(t, "app", variable).Token
	letter := func(off time.Duration) servertest.Request {
		at := proof.Attestation{
			SessionID: a.SessionID, TS: time.Now().Add(off).Unix(), JTI: rand.Text(), BodySHA256: proof.BodyHash(nil), AuthTokenID: proof.AuthTokenID(token),
		}
		const path = "/project/secrets/app"
		at.Signature = ed25519.Sign(a.Attestation, at.Message(http.MethodGet, path))
		return servertest.Request{Method: http.MethodGet, Path: path, Header: http.Header{"Authorization": {"Bearer " + token}, "X-Daemon-Attestation": {at.Header()}}}
	}
	sent := func(r servertest.Request) bool {
		answer := s.Do(t, r)
		return !refused(t, answer) && strings.Contains(string(answer.Body), value)
	}
	used := letter(0)
	if !sent(used) {
		t.Fatal("it does not work in time")
	}
	for _, off := range []time.Duration{5 * time.Hour, -5 * time.Hour, 15 * day, 2 * time.Minute, -2 * time.Minute, 0} {
		if set(off); sent(used) {
			return open
		}
	}
	set(15 * day)
	if sent(letter(15 * day)) {
		return open // its end does not even follow the clock
	}
	set(0)
	return unless(!sent(letter(0)), limited)
}

// pruned sets the clock of a server ahead by a year, which has records of a few
// days.
var pruned = once(func() outcome {
	t := stage
	s := prepare(t)
	run := func(off time.Duration) {
		var c e2e.Clock
		s.begin = func(cmd *exec.Cmd) error {
			if err := c.Start(cmd); err != nil {
				return err
			}
			return c.Set(off)
		}
		s.serve(t)
		t.Cleanup(func() { c.Close() })
	}
	last := 0
	for _, off := range []time.Duration{0, 3 * day, 6 * day} {
		run(off)
		s.secret(t)
		last = s.trail(t, "create_secret")[0].Seq
		s.stop(t)
	}
	run(365 * day)
	// The house is kept once a minute.
	for end := time.After(2 * patience); len(s.trail(t, "create_secret")) == 3; {
		select {
		case <-end:
			return stopped
		case <-over:
			return ""
		case <-time.After(100 * time.Millisecond):
		}
	}
	left, said := s.trail(t, "create_secret"), s.trail(t, "audit_prune")
	s.stop(t)
	if intact, out := s.verify(t); !intact {
		t.Fatal(out)
	}
	// Of three days one is gone, and it is on the record.
	return unless(len(left) != 2 || left[0].Seq != last || len(said) != 1, limited)
})
