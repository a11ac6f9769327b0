package redteam

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
)

var limitMoves = moves{
	"guess-admin-token": guessAdminToken,
	"many-logins":       func(t *testing.T) outcome { t.Parallel(); return begunLogins().many },
	"blocked-logins":    func(t *testing.T) outcome { t.Parallel(); return begunLogins().blocked },
	"many-failures":     manyFailures,
	"held-connections":  heldConnections,
}

// strict is a site with its usual limits, where each move comes from addresses of
// its own.
var strict = once(func() *site { return limitedSite(stage) })

func guess(t *testing.T, s *servertest.Server, token string) servertest.Answer {
	t.Helper()
	return s.Do(t, servertest.Request{Method: http.MethodGet, Path: "/admin/whoami", Header: http.Header{"X-Admin-Token": {token}}})
}

func guessAdminToken(t *testing.T) outcome {
	t.Parallel()
	s := strict()
	thief := s.from("192.0.2.1")
	ok(t, guess(t, thief, s.AdminToken))
	heard := 0
	for range 100 {
		switch a := guess(t, thief, rand.Text()); a.Status {
		case http.StatusUnauthorized:
			heard++
		case http.StatusTooManyRequests:
		default:
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	if guess(t, thief, s.AdminToken).Status != http.StatusTooManyRequests || heard > 61 {
		return open
	}
	ok(t, guess(t, s.from("192.0.2.2"), s.AdminToken))
	if !prepare(t).refuses(t, "16 bytes", "ADMIN_TOKEN=short-token") {
		return open
	}
	return limited
}

// begin begins a log-in, and reports whether that was allowed.
func begin(t *testing.T, s *servertest.Server) bool {
	t.Helper()
	return !refused(t, s.Do(t, servertest.Request{Method: http.MethodPost, Path: "/device/authorize", Body: object{"client_id": "cortex-cli"}}))
}

// begunLogins begins log-ins from one source, and from as many as there have to be.
var begunLogins = once(func() (out struct{ many, blocked outcome }) {
	t := stage
	s := strict()
	one := s.from("192.0.2.3")
	if !begin(t, one) {
		t.Fatal("not even one can be begun")
	}
	if begin(t, one) {
		return struct{ many, blocked outcome }{open, open}
	}
	// How fast they come from many sources is limited, too. Here it is not.
	fast := newSite(t)
	waiting := 0
	for begin(t, fast.Server) {
		if waiting++; waiting > 1000 {
			return struct{ many, blocked outcome }{open, open}
		}
	}
	out.many = unless(waiting > 300, limited)
	honest := fast.Host(t, named("bot"))
	out.blocked = unless(refused(t, honest.Begin(t, honest.Init())), stopped)
	return out
})

// Each failure would be a record.
func manyFailures(t *testing.T) outcome {
	t.Parallel()
	s := limitedSite(t, "CORTEX_RATE_LIMITS=failures=10000/1m")
	thief := s.from("192.0.2.4")
	const many = 400
	for range many {
		if guess(t, thief, rand.Text()).Status != http.StatusUnauthorized {
			t.Fatal("a guess is good")
		}
	}
	s.stop(t)
	s.serve(t)
	rows := s.trail(t, "admin_login")
	whole := fmt.Sprint(numbers(t, s))
	if len(rows) == 0 || !strings.Contains(whole, fmt.Sprintf("%d more", many-1)) {
		t.Fatalf("of %d failures is recorded %s", many, whole)
	}
	return unless(len(rows) > 31, limited)
}

// heldConnections opens connections from a few sources, asks something on each, and
// leaves them.
func heldConnections(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	asking := make(chan servertest.Answer, 1)
	go func() { asking <- s.TryAdmin(t, http.MethodGet, "/admin/pending-grants?wait=4s", nil) }()
	var held [][]net.Conn
	var mu sync.Mutex
	var running sync.WaitGroup
	for i, many := range []int{400, 400, 250, 250, 250, 250, 250, 250, 250, 250} {
		running.Go(func() {
			conns := hold(t, s, fmt.Sprintf("127.0.1.%d", i+1), many)
			if many > maxOfOne && !settle(maxOfOne, conns) {
				t.Logf("%d connections of one source stay", many)
				conns = nil
			}
			mu.Lock()
			defer mu.Unlock()
			held = append(held, conns)
		})
		if i == 1 {
			running.Wait()
		}
	}
	done := make(chan struct{})
	go func() { running.Wait(); close(done) }()
	for answered, busy := 0, true; busy || answered < 20; answered++ {
		select {
		case <-done:
			busy = false
		default:
		}
		if a := s.TryAdmin(t, http.MethodGet, "/admin/whoami", nil); a.Status != http.StatusOK {
			t.Logf("an honest request: %d", a.Status)
			return open
		}
	}
	if a := <-asking; a.Status != http.StatusOK && a.Status != http.StatusNotModified {
		t.Logf("one that was being answered: %d", a.Status)
		return open
	}
	if slices.ContainsFunc(held, func(conns []net.Conn) bool { return conns == nil }) || !settle(maxOfAll, slices.Concat(held...)) {
		return open
	}
	return limited
}

// What a server lets one source have, and all of them.
const maxOfOne, maxOfAll = 256, 2048

// settle waits until no more than so many connections are open: the last ones may
// not have been accepted yet.
func settle(most int, conns []net.Conn) bool {
	for end := time.Now().Add(patience / 2); time.Now().Before(end); {
		if stillOpen(conns) <= most {
			return true
		}
	}
	return false
}

// hold opens connections from an address, and leaves them once each has asked
// something.
func hold(t *testing.T, s *site, from string, many int) (held []net.Conn) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: patience}
	for range many {
		conn, err := dialer.Dial("tcp", s.addr())
		if err != nil {
			t.Error(err)
			return held
		}
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
		held = append(held, conn)
	}
	return held
}

// stillOpen counts the connections that the other side has not closed.
func stillOpen(held []net.Conn) (n int) {
	for _, conn := range held {
		conn.SetReadDeadline(time.Now().Add(time.Millisecond))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			n++
		}
	}
	return n
}
