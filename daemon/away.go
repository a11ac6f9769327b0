package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

// How long a run waits for a server that is away, in all and for one answer. Where
// it has what it needs without, and where the server was away already, it is no use to
// wait as long.
const (
	awayPatience   = 3 * time.Second
	answerPatience = 10 * time.Second
	heldPatience   = 5 * time.Second
	awayAnswer     = 2 * time.Second
)

// errSlow is the cause of the end of a request that a run does not wait for.
var errSlow = errors.New("the server does not answer")

// errAway is in the chain of the error about a run that needs the server.
var errAway = errors.New("the server is away")

// awayErrors are what systems say where nobody answers.
var awayErrors = []error{
	errSlow, client.ErrSilent, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE, syscall.ETIMEDOUT,
	syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.ENETDOWN,
}

// away reports whether err says that the server cannot be reached, and nothing else:
// not that somebody else answered, nor that the server said no.
func away(err error) bool {
	if _, ok := errors.AsType[refusal](err); ok {
		return false
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		return e.Status == http.StatusBadGateway || e.Status == http.StatusServiceUnavailable || e.Status == http.StatusGatewayTimeout
	}
	for _, known := range awayErrors {
		if errors.Is(err, known) {
			return true
		}
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout() && errors.Is(err, client.ErrUnreachable)
}

// An outage is that the server is away. It says so once, and once that it is back:
// a day of it is two lines. The zero value says nothing.
type outage struct {
	log *slog.Logger

	mu     sync.Mutex // guards what follows
	since  time.Time  // zero while the server answers
	failed int
}

// met hears how a request went, and reports whether that was that the server is away.
func (o *outage) met(err error) bool {
	if err != nil && !away(err) {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case err == nil && !o.since.IsZero():
		o.log.Info("the server is back", "after", time.Since(o.since).Round(time.Second), "failures", o.failed)
		o.since, o.failed = time.Time{}, 0
	case err != nil:
		if o.failed++; o.since.IsZero() {
			o.since = time.Now()
			o.log.Warn("the server is away", "err", err)
		}
	}
	return err != nil
}

// began returns since when the server is away, zero if it is not.
func (o *outage) began() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.since
}

// insist calls ask until the server answers, for as long as a run waits for that.
func (d *enrolment) insist(ctx context.Context, ask func(context.Context) (gift, error)) (gift, error) {
	until, limit := time.Now().Add(awayPatience), answerPatience
	if began := d.outage.began(); !began.IsZero() {
		until, limit = began.Add(awayPatience), awayAnswer // others have waited
	}
	for failures := 0; ; failures++ {
		got, err := within(ctx, limit, ask)
		if !d.outage.met(err) || ctx.Err() != nil || !time.Now().Before(until) {
			return got, err
		}
		pause(ctx, rand.N(100*time.Millisecond<<min(failures, 3)))
	}
}

// within calls ask, which is to return in time.
func within(ctx context.Context, limit time.Duration, ask func(context.Context) (gift, error)) (gift, error) {
	ctx, stop := context.WithTimeoutCause(ctx, limit, errSlow)
	defer stop()
	return ask(ctx)
}

// needsServer says why a run cannot go on without the server, and what to do.
func (d *enrolment) needsServer(project, why string, err error) error {
	hint := "check that the server runs: curl " + d.client.URL() + "/health"
	if why == "" {
		why = fmt.Sprintf("nothing of project %s is held", project)
		hint += "; for runs to go on without it: cortex project settings " + project + " --offline-ttl 8h"
	}
	return client.WithHint(fmt.Errorf("%w, and %s: %w", errAway, why, err), hint)
}
