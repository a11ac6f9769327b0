package server_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
)

// A door is where passwords are tried.
type door struct {
	path        string
	wrong, good map[string]string
}

var (
	loginDoor  = door{"/login", map[string]string{"name": "alice", "password": "a wrong password"}, map[string]string{"name": "alice", "password": userPassword}}
	unsealDoor = door{"/sys/unseal", map[string]string{"password": "wrong"}, map[string]string{"password": servertest.Password}}
)

// try sends a password from an address; empty for this machine.
func (d door) try(t *testing.T, s *servertest.Server, from string, body map[string]string) servertest.Answer {
	h := http.Header{}
	if from != "" {
		h.Set("X-Forwarded-For", from)
	}
	return s.Do(t, servertest.Request{Method: "POST", Path: d.path, Header: h, Body: body})
}

// besiege has strangers try passwords without end while fn runs.
func (d door) besiege(t *testing.T, s *servertest.Server, strangers int, from func(int) string, fn func()) {
	t.Helper()
	over, begun := make(chan struct{}), make(chan struct{}, 1000)
	var wg sync.WaitGroup
	for n := range strangers {
		wg.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				d.try(t, s, from(n), d.wrong)
				select {
				case begun <- struct{}{}:
				default:
				}
			}
		})
	}
	<-begun
	fn()
	close(over)
	wg.Wait()
}

// Nobody keeps others from trying their password by trying without end.
func TestPasswordsAreTriedInTurns(t *testing.T) {
	t.Parallel()
	many := func(n int) string { return fmt.Sprintf("192.0.2.%d", n) }
	for _, c := range []struct {
		name      string
		strangers int
		from      func(int) string
		me        string
		doors     []door
	}{
		{"one network", 10, func(n int) string { return fmt.Sprintf("2001:db8::%x", n+1) }, "192.0.2.200", []door{loginDoor, unsealDoor}},
		{"several sources", 8, many, "192.0.2.200", []door{loginDoor, unsealDoor}},
		{"this machine", 20, many, "", []door{unsealDoor}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := servertest.With(t, servertest.Config{Unlimited: true, TLS: true, Proxies: proxies(t, "127.0.0.1")})
			if slices.ContainsFunc(c.doors, func(d door) bool { return d.path == loginDoor.path }) {
				logIn(t, s, "alice", "auditor")
			}
			for _, d := range c.doors {
				if d.path == unsealDoor.path {
					s.Admin(t, "POST", "/sys/seal", nil, nil)
				}
				d.besiege(t, s, c.strangers, c.from, func() {
					if a := d.try(t, s, c.me, d.good); a.Status != http.StatusOK {
						t.Errorf("%s: %d %s", d.path, a.Status, a.Body)
					}
				})
			}
			var rows []api.AuditRow
			s.Admin(t, "GET", "/admin/audit-logs?action=vault_unseal", nil, &rows)
			if len(rows) != 1 {
				t.Errorf("%d records of one unsealing, by strangers too", len(rows))
			}
		})
	}
}

// Who failed to open the vault a few times is not heard for a while.
func TestFewTriesToUnseal(t *testing.T) {
	s := servertest.New(t)
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	for range 5 {
		wantError(t, unsealDoor.try(t, s, "", unsealDoor.wrong), http.StatusForbidden, api.Forbidden)
	}
	a := unsealDoor.try(t, s, "", unsealDoor.good)
	wantError(t, a, http.StatusTooManyRequests, api.RateLimited)
	if a.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
}
