package blackbox

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
)

// inTime runs a test in both modes, each against a server of its own in the
// test's process, whose clock goes as the test sleeps.
func inTime(t *testing.T, test func(v *vault)) {
	t.Parallel()
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := servertest.With(t, servertest.Config{Direct: true, NoAttestation: !m.attested})
				v := newVault(t, m.attested, "http://vault.test")
				v.token, v.http = s.AdminToken, &http.Client{Transport: inProcess{s.Handler}}
				test(v)
			})
		})
	}
}

// inProcess hands requests to a handler, as if they came from this machine.
type inProcess struct{ http.Handler }

// RoundTrip never fails.
func (p inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.RemoteAddr = "127.0.0.1:4711"; r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Result(), nil
}

const day = 24 * time.Hour

func TestExpiredTokenSaysSo(t *testing.T) {
	inTime(t, func(v *vault) {
		s := v.staged()
		got := s.obtain(s.app, s.env(), object{"signed_token": true})
		time.Sleep(14*day - time.Minute)
		for _, token := range []any{got["project_token"], got["signed_project_token"]} {
			s.values(s.app, token)
		}
		has(v.t, v.project(s.app), object{"token_status": "active"})
		time.Sleep(time.Minute)
		for _, token := range []any{got["project_token"], got["signed_project_token"]} {
			s.fetch(s.app, token).wantError(http.StatusUnauthorized, "token_expired")
		}
		has(v.t, v.project(s.app), object{"token_status": "expired", "token_revoked_at": nil})
		fresh := s.discover(s.app, s.env()).want(http.StatusOK).object()["project_token"]
		s.values(s.app, fresh)
		has(v.t, v.project(s.app), object{"token_status": "active"})
	})
}

// An approval is good for 30 days; after that the next token needs another.
func TestApprovalEnds(t *testing.T) {
	inTime(t, func(v *vault) {
		s := v.staged()
		s.obtain(s.app, s.env())
		time.Sleep(29 * day)
		token := s.discover(s.app, s.env()).want(http.StatusOK).object()["project_token"]
		time.Sleep(day + time.Minute)
		if s.enrolAgain(); s.values(s.app, token) == nil {
			v.t.Error("the token ended with the approval")
		}
		s.discover(s.app, s.env(), object{"regenerate_token": true}).wantError(http.StatusForbidden, "pending_approval")
	})
}

// enrolAgain logs the host in again, whose login ends after 30 days.
func (a *agent) enrolAgain() {
	a.v.t.Helper()
	if a.v.attested {
		a.attest().wantError(http.StatusUnauthorized)
		a.enrol()
	}
}
