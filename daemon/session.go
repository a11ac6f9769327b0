package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/locked"
)

// A session is what an attestation opened. Times are by the wall clock, which
// goes on while the machine sleeps.
type session struct {
	id      string
	began   time.Time
	expires time.Time
	// last tells that the login ends with it: no renewal can be longer.
	last bool
}

func (s session) live() bool { return s.id != "" && time.Now().Round(0).Before(s.expires) }

// The server takes so many attestations of an agent in this time, with a
// second to spare for the way there, and thinks ill of more.
const (
	attestBurst  = 2
	attestWindow = 31 * time.Second
)

// maxSession is the longest a session is believed to last.
const maxSession = 31 * 24 * time.Hour

// sessions keeps a session alive.
type sessions struct {
	client  *client.Client
	dir     string
	key     identity.Key
	signer  *locked.Signer // the attestation key, as old as the process
	request api.AttestRequest
	log     *slog.Logger
	failed  func(error) // hears why a session was not opened
	outage  *outage     // hears that, and that one was

	turn chan struct{} // holds a token while nobody attests

	mu      sync.Mutex // guards what follows
	now     session    // the zero one while there is none
	login   identity.Session
	problem error       // why there is none
	recent  []time.Time // attestations in attestWindow, without those that were refused
	refused refused
}

func newSessions(c *client.Client, dir string, key identity.Key, signer *locked.Signer, log *slog.Logger, failed func(error)) *sessions {
	s := &sessions{client: c, dir: dir, key: key, signer: signer, log: log, failed: failed, outage: &outage{log: log}, turn: make(chan struct{}, 1)}
	s.turn <- struct{}{}
	return s
}

// A refusal is an error that asking again will not change.
type refusal struct{ error }

// refused is the server's last refusal of a login.
type refused struct {
	err   error
	login time.Time // when it was issued
	at    time.Time
}

// refusedPause is how long the server is not asked about a login that it refused.
const refusedPause = attestWindow / attestBurst

// Unwrap returns the error itself.
func (r refusal) Unwrap() error { return r.error }

// refuse returns a refusal and what to type.
func refuse(hint, format string, args ...any) error {
	err := error(refusal{fmt.Errorf(format, args...)})
	if hint != "" {
		err = client.WithHint(err, hint)
	}
	return err
}

// errTooOften means that the server is left alone for a while.
var errTooOften = errors.New("two sessions with the server were opened just now, and requests are still refused: try again in half a minute")

// current returns a live session, opening one if there is none.
func (s *sessions) current(ctx context.Context) (session, error) {
	if now := s.get(); now.live() {
		return now, nil
	}
	return s.replace(ctx, session{})
}

func (s *sessions) get() session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

// replace opens a session in place of old. If that has been replaced
// meanwhile, it returns what took its place.
func (s *sessions) replace(ctx context.Context, old session) (session, error) {
	select {
	case <-s.turn:
		defer func() { s.turn <- struct{}{} }()
	case <-ctx.Done():
		return session{}, context.Cause(ctx)
	}
	if now := s.get(); now.live() && now.id != old.id {
		return now, nil
	}
	now, err := s.attest(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.problem = err; err != nil {
		s.failed(err)
		return session{}, err
	}
	s.outage.met(nil)
	s.now = now
	s.log.Info("opened a session with the server", "session", now.id, "until", now.expires.Format(time.RFC3339))
	return now, nil
}

// inSession asks the server in a session, and once more in a new one where it
// ended the session, or took us for somebody else's.
func inSession[T any](ctx context.Context, s *sessions, ask func(client.Attester) (T, error)) (answer T, err error) {
	now, err := s.current(ctx)
	if err != nil {
		return answer, err
	}
	if answer, err = ask(s.attester(now)); !unauthorized(err) {
		if err == nil {
			s.accepted(now)
		}
		return answer, err
	}
	if now, err = s.replace(ctx, now); err != nil {
		return answer, err
	}
	return ask(s.attester(now))
}

// accepted notes that the server takes a session: what it had against another one
// in its place is over.
func (s *sessions) accepted(now session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now.id == now.id {
		s.problem = nil
	}
}

// may returns why the server may not be asked now, if so. A refusal is repeated
// instead of asking for it again.
func (s *sessions) may(login identity.Session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.refused; r.err != nil && r.login.Equal(login.IssuedAt) && time.Since(r.at) < refusedPause {
		return r.err
	}
	s.recent = slices.DeleteFunc(s.recent, func(t time.Time) bool { return time.Since(t) >= attestWindow })
	if len(s.recent) >= attestBurst {
		return errTooOften
	}
	return nil
}

// attested keeps how an attestation went.
func (s *sessions) attested(at time.Time, login identity.Session, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := errors.AsType[refusal](err); ok {
		s.refused = refused{err, login.IssuedAt, at}
	} else if !errors.Is(err, client.ErrUnreachable) {
		s.recent = append(s.recent, at)
	}
}

func (s *sessions) lastLogin() identity.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.login
}

// The waiting times of keep.
const (
	shortestWait = time.Second
	retryMoment  = 50 * time.Millisecond
	longestRetry = time.Minute
	refusedRetry = 10 * time.Minute // a new login, and each run, ask at once
	longestWait  = 5 * time.Minute  // timers stand still while the machine sleeps
)

// keep renews the session before it ends, until ctx does.
func (s *sessions) keep(ctx context.Context) {
	for failures := 0; ; {
		of := s.get()
		due := renewal(of)
		if failures > 0 || !of.live() {
			due = time.Now().Round(0).Add(s.again(failures))
		}
		if !s.sleep(ctx, due, of) {
			return
		}
		if s.get().id != of.id {
			failures = 0 // a run has needed and opened one
			continue
		}
		if _, err := s.replace(ctx, of); err == nil {
			failures = 0
		} else if failures++; ctx.Err() == nil && !s.outage.met(err) && failures&(failures-1) == 0 {
			s.log.Warn("cannot open a session with the server", "err", err, "failures", failures)
		}
	}
}

// sleep waits until it is time, or a session is not the present one any more,
// and reports whether ctx still goes on.
func (s *sessions) sleep(ctx context.Context, until time.Time, of session) bool {
	for {
		left := time.Until(until)
		if left <= 0 || s.get().id != of.id {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-time.After(min(left, longestWait)):
		}
	}
}

// renewal returns when to renew a session: with an eighth to a quarter of its
// time left, so that a server that was away is not asked by all at once. The
// last one of a login is used to its end.
func renewal(s session) time.Time {
	if s.last {
		return s.expires
	}
	eighth := s.expires.Sub(s.began) / 8
	return s.expires.Add(-eighth - rand.N(eighth+1))
}

// again returns how long to wait after so many failures. A refusal is not asked for
// again and again: each is a record at the server.
func (s *sessions) again(failures int) time.Duration {
	_, _, problem := s.state()
	if _, ok := errors.AsType[refusal](problem); ok {
		return refusedRetry/2 + rand.N(refusedRetry/2)
	}
	return retry(failures)
}

// retry returns how long to wait after so many failures: by chance, so that daemons
// that lost a server together do not come back together, but for a moment.
func retry(failures int) time.Duration {
	wait := min(shortestWait<<min(failures, 10), longestRetry)
	return retryMoment + rand.N(wait)
}

// attester signs requests in a session.
func (s *sessions) attester(now session) client.Attester {
	return client.Session{ID: now.id, Signer: s.signer}
}

// state returns the session, the login it stands on, and why there is none.
func (s *sessions) state() (session, identity.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now, s.login, s.problem
}
