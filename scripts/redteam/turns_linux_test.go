package redteam

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
)

var turnMoves = moves{
	"unseal-guesses":      unsealGuesses,
	"unseal-guesses-many": unsealGuessesMany,
	"login-guesses":       loginGuesses,
	"login-guesses-many":  loginGuessesMany,
	"turns-on-host":       turnsOnHost,
	"unfinished-shares":   unfinishedShares,
}

// A door is where passwords are tried.
type door struct {
	path        string
	wrong, good object
}

// try tries a password from an address; from this machine if there is none.
func (d door) try(t *testing.T, s *site, from string, body object) int {
	server := s.Server
	if from != "" {
		server = s.from(from)
	}
	return server.Do(t, servertest.Request{Method: http.MethodPost, Path: d.path, Body: body}).Status
}

// besiege has strangers try passwords without end while fn runs.
func (d door) besiege(t *testing.T, s *site, strangers int, from func(int) string, fn func()) {
	t.Helper()
	ctx, over := context.WithCancel(t.Context())
	begun := make(chan struct{}, 1)
	var running sync.WaitGroup
	for n := range strangers {
		running.Go(func() {
			for ctx.Err() == nil {
				d.shout(ctx, s, from(n))
				select {
				case begun <- struct{}{}: // with one answer all have begun, more or less
				default:
				}
				select {
				case <-ctx.Done():
				case <-time.After(5 * time.Millisecond): // as slow as a network
				}
			}
		})
	}
	<-begun
	fn()
	over()
	running.Wait()
}

// shout tries a wrong password, and does not care what comes of it.
func (d door) shout(ctx context.Context, s *site, from string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+d.path, bytes.NewReader(marshal(d.wrong)))
	if err != nil {
		panic("redteam: " + err.Error()) // unreachable
	}
	req.Header.Set("Content-Type", "application/json")
	if from != "" {
		req.Header.Set("X-Forwarded-For", from)
	}
	if resp, err := s.HTTP.Do(req); err == nil {
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}

// tries is how often somebody types a password before he calls for help.
const tries = 4

// keptOut reports whether a good password is not heard, mostly.
func (d door) keptOut(t *testing.T, s *site, from string) bool {
	t.Helper()
	refused := 0
	for range tries {
		switch status := d.try(t, s, from, d.good); status {
		case http.StatusOK:
		case http.StatusTooManyRequests:
			refused++
		default:
			t.Errorf("%s: %d", d.path, status)
		}
	}
	t.Logf("%s: %d of %d were not heard", d.path, refused, tries)
	return refused > tries/2
}

func manySources(n int) string { return fmt.Sprintf("192.0.2.%d", n+100) }

// sealedSite is a site that was sealed, and its door.
func sealedSite(t *testing.T, env ...string) (*site, door) {
	t.Helper()
	s := secureSite(t, authority{}.issue(t), append([]string{"CORTEX_TRUSTED_PROXIES=127.0.0.1"}, env...)...)
	ok(t, s.TryAdmin(t, http.MethodPost, "/sys/seal", nil))
	return s, door{"/sys/unseal", object{"password": "wrong"}, object{"password": s.password}}
}

func unsealGuesses(t *testing.T) outcome {
	t.Parallel()
	s, d := sealedSite(t, "CORTEX_RATE_LIMITS=unseal=5/10m")
	heard := 0
	for range 6 {
		if d.try(t, s, "192.0.2.9", d.wrong) == http.StatusForbidden {
			heard++
		}
	}
	if heard == 0 {
		t.Fatal("a wrong password is not even looked at")
	}
	if heard > 5 || d.try(t, s, "192.0.2.9", d.good) != http.StatusTooManyRequests {
		return open
	}
	got := 0
	d.besiege(t, s, 8, manySources, func() { got = d.try(t, s, "192.0.2.200", d.good) })
	t.Logf("the good password among eight others: %d", got)
	return unless(got != http.StatusOK, limited)
}

// keepSealed has the good password be wrong as well, so that it can be tried as
// often as one likes: what counts is whether it is looked at.
func (d door) keepSealed(t *testing.T, s *site, from string) bool {
	t.Helper()
	refused := 0
	for range tries {
		if d.try(t, s, from, d.wrong) == http.StatusTooManyRequests {
			refused++
		}
	}
	t.Logf("%s: %d of %d were not heard", d.path, refused, tries)
	return refused > tries/2
}

func unsealGuessesMany(t *testing.T) outcome {
	t.Parallel()
	s, d := sealedSite(t)
	kept := false
	d.besiege(t, s, 30, manySources, func() { kept = d.keepSealed(t, s, "192.0.2.1") })
	return unless(kept, limited)
}

func turnsOnHost(t *testing.T) outcome {
	t.Parallel()
	s, d := sealedSite(t)
	kept := false
	here := func(int) string { return "" }
	d.besiege(t, s, 20, here, func() { kept = d.keepSealed(t, s, "") })
	return unless(kept, limited)
}

// loginSite is a site with an account, and its door.
func loginSite(t *testing.T, env ...string) (*site, door) {
	t.Helper()
	s := newSite(t, append([]string{"CORTEX_TRUSTED_PROXIES=127.0.0.1"}, env...)...)
	p := s.account(t, "auditor")
	return s, door{"/login", object{"name": p.name, "password": "a wrong password"}, object{"name": p.name, "password": p.password}}
}

func loginGuesses(t *testing.T) outcome {
	t.Parallel()
	s, d := loginSite(t, "CORTEX_RATE_LIMITS=failures=4/10m")
	heard := 0
	for range 6 {
		if d.try(t, s, "192.0.2.9", d.wrong) == http.StatusUnauthorized {
			heard++
		}
	}
	if heard == 0 || heard > 4 {
		return open
	}
	kept := true
	d.besiege(t, s, 10, func(int) string { return "192.0.2.8" }, func() { kept = d.keptOut(t, s, "192.0.2.200") })
	return unless(kept, limited)
}

func loginGuessesMany(t *testing.T) outcome {
	t.Parallel()
	s, d := loginSite(t)
	kept := false
	d.besiege(t, s, 30, manySources, func() {
		kept = d.keptOut(t, s, "192.0.2.1")
		ok(t, s.TryAdmin(t, http.MethodGet, "/admin/whoami", nil)) // whoever is in stays in
	})
	return unless(kept, limited)
}

// unfinishedShares has the holder of one share begin, and begin again.
func unfinishedShares(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	var given struct{ Shares []string }
	s.Admin(t, http.MethodPost, "/admin/shamir/generate", object{"threshold": 2, "shares": 3}, &given)
	ok(t, s.TryAdmin(t, http.MethodPost, "/sys/seal", nil))
	offer := func(body object) servertest.Answer {
		return s.Do(t, servertest.Request{Method: http.MethodPost, Path: "/sys/unseal", Body: body})
	}
	begun := 0
	for offer(object{"share": given.Shares[0]}).Status == http.StatusOK {
		if begun++; begun > 20 {
			return stopped // he can begin as often as he likes, and the others as well
		}
	}
	if offer(object{"share": given.Shares[1]}).Status == http.StatusOK || begun > 8 {
		return stopped
	}
	if offer(object{"password": s.password}).Status != http.StatusOK {
		return open
	}
	// Without attempts, at a start: the shares come from a directory.
	s.stop(t)
	dir := shortDir(t)
	for i, share := range given.Shares[1:] {
		write(t, filepath.Join(dir, fmt.Sprint(i)), share)
	}
	s.serve(t, "CORTEX_KEK_PASSWORD=", "CORTEX_RECOVERY_MODE=1", "CORTEX_RECOVERY_SHARES_DIR="+dir)
	return limited
}
