package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/server/api"
)

// decisionWait is how long the server is asked to wait for a decision.
const decisionWait = 30 * time.Second

// patient gets values for a client that may be willing to wait for a person's
// approval, and hears what it waits for. A decision is a reason to ask again: the
// answer to that tells what it was.
func (d *enrolment) patient(ctx context.Context, c *connection, req ipc.Request, get func(context.Context) (gift, error)) (gift, error) {
	got, err := get(ctx)
	if req.Wait == 0 || waitsFor(err) == nil {
		return got, err
	}
	c.let() // others need the place meanwhile
	ctx, stop := context.WithTimeoutCause(ctx, req.Wait, fmt.Errorf("nobody decided about project %s in time", req.Project))
	defer stop()
	for told, again := "", 0; ; again++ {
		e := waitsFor(err)
		switch {
		case ctx.Err() != nil:
			return got, context.Cause(ctx)
		case e == nil:
			return got, err
		case e.Details.GrantID != told:
			told, again = e.Details.GrantID, 0
			d.log.Info("waiting for approval", "project", req.Project, "client", c.peer.PID, "grant", told, "for", req.Wait)
			c.answer(d.tellGrant(ipc.Response{OK: true, Waiting: true}, e))
		default: // asked too often, or it is yet to take effect
			pause(ctx, retry(again))
		}
		if err = d.decided(ctx, told); err == nil {
			got, err = get(ctx)
		}
	}
}

// waitsFor returns the error that says what waits for approval, nil if err is
// another one.
func waitsFor(err error) *api.Error {
	if e, ok := errors.AsType[*api.Error](err); ok && errors.Is(e, api.PendingApproval) && e.Details != nil {
		return e
	}
	return nil
}

// tellGrant returns r with what waits for approval.
func (d *enrolment) tellGrant(r ipc.Response, e *api.Error) ipc.Response {
	r.GrantID, r.RequestedKeys, r.Message = e.Details.GrantID, e.Details.RequestedKeys, e.Message
	r.ServerURL = d.client.URL()
	return r
}

// decided returns when a request does not wait for approval any more, or with the
// reason why nobody can know. A server that is away, or has too much to do, is none.
func (d *enrolment) decided(ctx context.Context, grantID string) error {
	for failures := 0; ; {
		g, err := inSession(ctx, d.sessions, func(by client.Attester) (api.GrantStatus, error) {
			return d.client.PendingGrant(ctx, d.key.AgentID, grantID, by, decisionWait)
		})
		_, refused := errors.AsType[refusal](err)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case refused:
			return err
		case errors.Is(err, api.NotFound), err == nil && g.Status != api.StatusPending:
			return nil
		case err != nil:
			failures++
		default:
			failures = 0
		}
		pause(ctx, retry(failures))
	}
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
