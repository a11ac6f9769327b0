package daemon

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	jwt "github.com/cortex-auth/cortex/vault/token"
)

// A desk is a server that opens sessions, without a network, so that time can
// be turned.
type desk struct {
	times   []time.Time
	lasts   int64
	back    time.Time // away until then
	problem *api.Error

	assertions []string // that an access token was given for
	unknown    bool     // knows no such agent
	bearers    []string
	attest     api.AttestRequest // the last one
}

// token gives an access token for an assertion.
func (d *desk) token(w http.ResponseWriter, r *http.Request) {
	var in api.DeviceTokenRequest
	json.NewDecoder(r.Body).Decode(&in)
	if d.unknown || in.GrantType != api.GrantTypeAssertion {
		w.WriteHeader(http.StatusBadRequest)
		json.NewEncoder(w).Encode(api.Error{Code: api.InvalidGrant, Message: "invalid_grant"})
		return
	}
	d.assertions = append(d.assertions, string(in.Assertion.Reveal()))
	json.NewEncoder(w).Encode(api.DeviceToken{AccessToken: api.NewValue(fmt.Appendf(nil, "access-%d", len(d.assertions))), ExpiresIn: 86400})
}

func (d *desk) RoundTrip(r *http.Request) (*http.Response, error) {
	if time.Now().Before(d.back) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/device/token" {
		d.token(w, r)
		return w.Result(), nil
	}
	d.times = append(d.times, time.Now())
	if d.problem != nil {
		w.WriteHeader(d.problem.Status)
		json.NewEncoder(w).Encode(d.problem)
	} else {
		d.bearers = append(d.bearers, r.Header.Get("Authorization"))
		json.NewDecoder(r.Body).Decode(&d.attest)
		json.NewEncoder(w).Encode(api.AttestResponse{SessionID: uuid.NewString(), ExpiresIn: d.lasts})
	}
	return w.Result(), nil
}

// keeper returns sessions with a login that lasts so long, at a desk.
func keeper(t *testing.T, d *desk, login time.Duration) *sessions {
	t.Helper()
	dir := t.TempDir()
	key, err := identity.Generate(identity.Path(dir, "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(key.Destroy)
	signer, err := locked.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(signer.Destroy)
	saveLogin(t, dir, key, "http://127.0.0.1:1", login)
	c, err := client.New(client.Config{URL: "http://127.0.0.1:1", HTTP: &http.Client{Transport: d}})
	if err != nil {
		t.Fatal(err)
	}
	s := newSessions(c, dir, key, signer, slog.New(slog.DiscardHandler), new(failures).add)
	s.request = api.AttestRequest{AttestationPub: proof.EncodeKey(signer.Public()), DaemonPID: new(int64(7)), BootID: new("boot"), StartedAt: new(int64(1))}
	return s
}

func saveLogin(t *testing.T, dir string, key identity.Key, url string, lasts time.Duration) {
	t.Helper()
	s := identity.Session{ServerURL: url, AgentID: "bot", IssuedAt: time.Now(), ExpiresIn: lasts}
	if err := identity.SaveSession(dir, key, s, opaque.New([]byte("access token"))); err != nil {
		t.Fatal(err)
	}
}

// keepFor has a session kept for a while.
func keepFor(t *testing.T, s *sessions, d time.Duration) {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	s.keep(ctx)
}

func TestSessionIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400}
		s := keeper(t, d, 30*24*time.Hour)
		first, err := s.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if again, err := s.current(t.Context()); err != nil || again != first || len(d.times) != 1 {
			t.Errorf("%v, %v, asked %d times", again, err, len(d.times))
		}
		keepFor(t, s, 7*24*time.Hour)
		for i, at := range d.times[1:] {
			if pause := at.Sub(d.times[i]); pause < 18*time.Hour || pause > 21*time.Hour+time.Minute {
				t.Errorf("renewed after %v", pause)
			}
		}
		if n := len(d.times); n < 8 || n > 11 || !s.get().live() {
			t.Errorf("asked %d times in a week", n)
		}
	})
}

func TestSessionWhileTheServerIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 3600, back: time.Now().Add(time.Hour)}
		s := keeper(t, d, 30*24*time.Hour)
		if _, err := s.current(t.Context()); !errors.Is(err, client.ErrUnreachable) {
			t.Error(err)
		}
		began := time.Now()
		keepFor(t, s, 90*time.Minute)
		if len(d.times) != 1 || d.times[0].Sub(began) < time.Hour || d.times[0].Sub(began) > time.Hour+longestRetry {
			t.Errorf("asked at %v", d.times)
		}
		// Whoever needs it does not wait for the next try.
		time.Sleep(2 * time.Hour)
		d.back = time.Now().Add(time.Second)
		if _, err := s.current(t.Context()); !errors.Is(err, client.ErrUnreachable) {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if now, err := s.current(t.Context()); err != nil || !now.live() {
			t.Error(err)
		}
	})
}

func TestSessionEndsWithTheLogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400}
		s := keeper(t, d, 36*time.Hour)
		if _, err := s.current(t.Context()); err != nil {
			t.Fatal(err)
		}
		keepFor(t, s, 72*time.Hour)
		_, err := s.current(t.Context())
		if _, ok := errors.AsType[refusal](err); !ok || client.Hint(err) != "cortex daemon login --agent-id bot --url http://127.0.0.1:1" {
			t.Errorf("%v, hint %q", err, client.Hint(err))
		}
		// Renewed once; a login that has ended is not even shown to the server.
		if len(d.times) != 2 {
			t.Errorf("asked %d times", len(d.times))
		}
		// Another login is found without a restart; another server is not, nor one
		// that is known by its certificate again.
		restart := func() {
			t.Helper()
			if _, err := s.current(t.Context()); err == nil || client.Hint(err) != "restart the daemon: cortex daemon" {
				t.Error(err)
			}
		}
		saveLogin(t, s.dir, s.key, "http://127.0.0.1:2", time.Hour)
		restart()
		saveLogin(t, s.dir, s.key, "http://127.0.0.1:1/", time.Hour)
		now, err := s.current(t.Context())
		if err != nil || time.Until(now.expires) > time.Hour || !now.last {
			t.Errorf("%+v, %v", now, err)
		}
		time.Sleep(2 * time.Hour)
		s.client.Know(pin.Pin{})
		restart()
	})
}

// A login that was proved needs nothing but the agent's key, each time anew, and
// has no end that is known here.
func TestProvedSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400}
		s := keeper(t, d, 0)
		proved := identity.Session{ServerURL: "http://127.0.0.1:1", AgentID: "bot", IssuedAt: time.Now(), Proved: true}
		if err := identity.SaveSession(s.dir, s.key, proved, opaque.Bytes{}); err != nil {
			t.Fatal(err)
		}
		keepFor(t, s, 40*24*time.Hour)
		if n := len(d.assertions); n < 45 || n != len(d.bearers) || !s.get().live() {
			t.Errorf("%d access tokens, %d sessions in 40 days", n, len(d.bearers))
		}
		seen := map[string]bool{}
		for i, text := range d.assertions {
			a, err := jwt.ParseAssertion(text, s.key.Public())
			if err != nil || a.Subject != "bot" || seen[a.ID] || d.bearers[i] != fmt.Sprintf("Bearer access-%d", i+1) {
				t.Fatalf("%+v, %v, %s", a, err, d.bearers[i])
			}
			seen[a.ID] = true
		}
		sig, err := proof.DecodeSignatureURL(*d.attest.AgentProof)
		said := proof.DaemonInit{
			Nonce: *d.attest.Nonce, TS: *d.attest.TS, AgentID: "bot", AttestationPub: proof.EncodeKey(s.signer.Public()),
			BootID: "boot", StartedAt: 1, PID: 7,
		}
		if err != nil || !ed25519.Verify(s.key.Public(), said.Message(), sig) {
			t.Errorf("%+v, %v", d.attest, err)
		}
		d.unknown = true // removed, or unused for too long
		_, err = s.replace(t.Context(), s.get())
		if _, ok := errors.AsType[refusal](err); !ok || !strings.Contains(client.Hint(err), "cortex daemon login --agent-id bot") {
			t.Errorf("%v, hint %q", err, client.Hint(err))
		}
	})
}

// The server takes a third attestation in half a minute for an attack.
func TestSessionsAreNotOpenedTooOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400}
		s := keeper(t, d, 30*24*time.Hour)
		refused := 0
		for range 200 {
			if _, err := s.replace(t.Context(), s.get()); errors.Is(err, errTooOften) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		for i := range d.times[2:] {
			if d.times[i+2].Sub(d.times[i]) <= 30*time.Second {
				t.Errorf("three within %v", d.times[i+2].Sub(d.times[i]))
			}
		}
		if refused == 0 || len(d.times) < 10 {
			t.Errorf("refused %d times, asked %d times", refused, len(d.times))
		}
	})
}

// Whoever asks soon after the server refused the login hears that it did. A new
// login is shown to it at once.
func TestRefusalIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400, problem: &api.Error{Status: http.StatusUnauthorized, Message: "no"}}
		s := keeper(t, d, 30*24*time.Hour)
		for range 40 {
			_, err := s.current(t.Context())
			if _, ok := errors.AsType[refusal](err); !ok {
				t.Error(err)
			}
			time.Sleep(time.Second)
		}
		if len(d.times) != 3 {
			t.Errorf("asked %d times", len(d.times))
		}
		d.problem = nil
		saveLogin(t, s.dir, s.key, "http://127.0.0.1:1", time.Hour)
		if _, err := s.current(t.Context()); err != nil {
			t.Error(err)
		}
		// The device is removed.
		d.problem = &api.Error{Status: http.StatusUnauthorized, Message: "no"}
		s.replace(t.Context(), s.get())
		var said ipc.Status
		(&enrolment{client: s.client, sessions: s, book: newBook(t, t.TempDir())}).describe(&said)
		if !strings.Contains(said.Problem, "does not accept this host's login") {
			t.Errorf("problem %q", said.Problem)
		}
		// It was a mistake: the session that there is was never anything but good.
		if _, err := inSession(t.Context(), s, func(client.Attester) (bool, error) { return true, nil }); err != nil {
			t.Error(err)
		}
		said = ipc.Status{}
		(&enrolment{client: s.client, sessions: s, book: newBook(t, t.TempDir())}).describe(&said)
		if said.Problem != "" || said.Hint != "" {
			t.Errorf("problem %q, hint %q of old", said.Problem, said.Hint)
		}
	})
}

// A daemon that was refused does not bother the server with that.
func TestRefusedDaemonIsQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400, problem: &api.Error{Status: http.StatusUnauthorized, Message: "no"}}
		s := keeper(t, d, 30*24*time.Hour)
		if _, err := s.current(t.Context()); err == nil {
			t.Fatal("was not refused")
		}
		keepFor(t, s, 10*time.Hour)
		if n := len(d.times); n < 55 || n > 130 {
			t.Errorf("asked %d times in ten hours", n)
		}
		d.problem = nil
		time.Sleep(refusedPause)
		if now, err := s.current(t.Context()); err != nil || !now.live() {
			t.Errorf("a run did not ask anew: %v", err)
		}
	})
}

// Runs that all find the session ended open one new one.
func TestSessionIsReplacedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{lasts: 86400}
		s := keeper(t, d, 30*24*time.Hour)
		old, err := s.current(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 8 {
			go func() {
				if now, err := s.replace(t.Context(), old); err != nil || now.id == old.id {
					t.Errorf("%+v, %v", now, err)
				}
			}()
		}
		synctest.Wait()
		if len(d.times) != 2 {
			t.Errorf("asked %d times", len(d.times))
		}
		canceled, cancel := context.WithCancelCause(t.Context())
		cancel(errGone)
		<-s.turn // somebody attests
		if _, err := s.replace(canceled, s.get()); !errors.Is(err, errGone) {
			t.Error(err)
		}
		s.turn <- struct{}{}
	})
}

func TestAnswersThatMakeNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lasts := range []int64{0, -1, -1 << 63} {
			s := keeper(t, &desk{lasts: lasts}, time.Hour)
			if _, err := s.current(t.Context()); !errors.Is(err, client.ErrAnswer) {
				t.Errorf("%d: %v", lasts, err)
			}
		}
		s := keeper(t, &desk{lasts: 1<<63 - 1}, 10*365*24*time.Hour)
		now, err := s.current(t.Context())
		if left := time.Until(now.expires); err != nil || left <= 0 || left > maxSession {
			t.Errorf("%v, %v", left, err)
		}
	})
}
