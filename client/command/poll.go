package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
)

// A poll waits for a device code to be approved, as RFC 8628, section 3.5
// has it, except that the first question comes at once. Each question comes with a
// proof of the key, also to servers that know none.
type poll struct {
	client *client.Client
	key    identity.Key
	say    func(text string)
}

// The paces of polling. A server that names none, or an odd one, gets these.
const (
	usualInterval = 5 * time.Second
	mostInterval  = time.Minute
	usualExpiry   = 10 * time.Minute
	mostExpiry    = time.Hour
)

var errCodeExpired = errors.New("nobody approved the code in time")

// begin asks for a device code. A server that gives out only so many at a time
// is waited for.
func (p poll) begin(ctx context.Context, h identity.Host) (api.DeviceAuthorization, error) {
	for {
		auth, err := p.authorize(ctx, h)
		e, answered := errors.AsType[*api.Error](err)
		switch {
		case err == nil:
			return auth, nil
		case !answered || e.Status != http.StatusTooManyRequests:
			return auth, explainBegin(err)
		}
		pause := cmp.Or(min(e.RetryAfter, mostInterval), mostInterval)
		p.say(fmt.Sprintf("the server gives out one code at a time to this address: asking again in %s (Ctrl-C stops)", pause))
		if !sleep(ctx, pause) {
			return api.DeviceAuthorization{}, ended(ctx)
		}
	}
}

// authorize asks for a device code once, with a proof made now.
func (p poll) authorize(ctx context.Context, h identity.Host) (auth api.DeviceAuthorization, err error) {
	in, err := p.key.ProveDevice(h)
	if err != nil {
		return auth, err
	}
	return p.client.DeviceAuthorize(ctx, in)
}

func explainBegin(err error) error {
	wrapped := fmt.Errorf("beginning the login: %w", err)
	if e, ok := errors.AsType[*api.Error](err); ok && e.Status == http.StatusUnauthorized {
		return client.WithHint(wrapped, "a proof is good for five minutes: check this host's clock")
	}
	return wrapped
}

// ask asks once whether the code is approved.
func (p poll) ask(ctx context.Context, code api.Value) (t api.DeviceToken, err error) {
	in, err := p.key.ProvePoll(code)
	if err != nil {
		return t, err
	}
	return p.client.DeviceToken(ctx, in)
}

// wait polls until the code is approved, refused or too old, or ctx ends.
// Being asked to slow down, a server that is away and one that fails are
// reasons to wait, not to give up.
func (p poll) wait(ctx context.Context, auth api.DeviceAuthorization) (api.DeviceToken, error) {
	interval := inRange(auth.Interval, usualInterval, mostInterval)
	ctx, cancel := context.WithTimeoutCause(ctx, lifetime(auth), errCodeExpired)
	defer cancel()
	for {
		token, err := p.ask(ctx, auth.DeviceCode)
		if err == nil {
			return token, nil
		}
		if ctx.Err() == nil {
			interval, err = p.patience(err, interval)
		}
		if ctx.Err() == nil && err != nil {
			return api.DeviceToken{}, explainPoll(err)
		}
		if !sleep(ctx, interval) {
			return api.DeviceToken{}, ended(ctx)
		}
	}
}

// lifetime returns how long a code is good.
func lifetime(auth api.DeviceAuthorization) time.Duration {
	return inRange(auth.ExpiresIn, usualExpiry, mostExpiry)
}

// patience returns how long to wait from now on, or the error that waiting
// does not cure.
func (p poll) patience(err error, interval time.Duration) (time.Duration, error) {
	e, answered := errors.AsType[*api.Error](err)
	switch {
	case errors.Is(err, api.AuthorizationPending):
		return interval, nil
	case errors.Is(err, api.SlowDown), answered && e.Status == http.StatusTooManyRequests:
		return min(max(interval+usualInterval, e.RetryAfter), mostInterval), nil
	case answered && e.Status/100 == 5, errors.Is(err, client.ErrUnreachable):
		p.say("still waiting: " + oneLine(err.Error()))
		return min(2*interval, mostInterval), nil
	}
	return 0, err
}

func explainPoll(err error) error {
	switch {
	case errors.Is(err, api.ExpiredToken):
		return expired()
	case errors.Is(err, api.AccessDenied):
		return client.WithHint(fmt.Errorf("the approver said no: %w", err), "ask who administers the server")
	}
	return client.WithHint(fmt.Errorf("waiting for the approval: %w", err), againHint)
}

const againHint = "to get a new code, type the same command again"

// ended returns why waiting ended: the code's age, unless the caller stopped.
func ended(ctx context.Context) error {
	if errors.Is(context.Cause(ctx), errCodeExpired) {
		return expired()
	}
	return ctx.Err()
}

func expired() error { return client.WithHint(errCodeExpired, againHint) }

// sleep waits, and reports whether ctx has still time left then.
func sleep(ctx context.Context, d time.Duration) bool {
	if end, ok := ctx.Deadline(); ok && !time.Now().Add(d).Before(end) {
		<-ctx.Done() // there is nothing to ask for at the very end
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// inRange turns a server's number of seconds into a duration: usual when it
// names none, most at most.
func inRange(seconds int64, usual, most time.Duration) time.Duration {
	if seconds <= 0 {
		return usual
	}
	return time.Duration(min(seconds, int64(most/time.Second))) * time.Second
}
