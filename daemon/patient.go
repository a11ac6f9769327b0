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
func (j *job) patient(ctx context.Context, get func(context.Context) (gift, error)) (gift, error) {
	got, err := get(ctx)
	if j.req.Wait == 0 || waitsOn(err) == "" {
		return got, err
	}
	j.c.let() // others need the place meanwhile
	ctx, stop := context.WithTimeoutCause(ctx, j.req.Wait, fmt.Errorf("nobody decided about project %s in time", j.req.Project))
	defer stop()
	for told, again, denied := "", 0, false; ; again++ {
		id := waitsOn(err)
		switch {
		case ctx.Err() != nil:
			return got, context.Cause(ctx)
		case id == "" || id == told && denied:
			return got, err
		case id != told:
			told, again = id, 0
			j.log.Info("waiting for approval", "project", j.req.Project, "client", j.c.peer.PID, "id", told, "for", j.req.Wait)
			j.c.answer(j.tellWaiting(ipc.Response{OK: true, Waiting: true}, err))
		default: // asked too often, or it is yet to take effect
			pause(ctx, retry(again))
		}
		if denied, err = j.decided(ctx, told); err == nil {
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

// waitsOn returns the id of what waits for approval, names or a command, "" if err is
// about nothing that somebody could decide.
func waitsOn(err error) string {
	if e := waitsFor(err); e != nil {
		return e.Details.GrantID
	}
	if e := notPinned(err); e != nil && e.Details != nil {
		return e.Details.PinID
	}
	return ""
}

// tellWaiting returns r with what waits for approval, if err says so.
func (d *enrolment) tellWaiting(r ipc.Response, err error) ipc.Response {
	if e := waitsFor(err); e != nil {
		r.GrantID, r.RequestedKeys, r.Message, r.ServerURL = e.Details.GrantID, e.Details.RequestedKeys, e.Message, d.client.URL()
	}
	if e := notPinned(err); e != nil {
		r = d.tellPin(r, e)
	}
	return r
}

// decided returns when what has an id does not wait for approval any more, and whether
// it was denied; or with the reason why nobody can know. A server that is away, or has
// too much to do, is none.
func (d *enrolment) decided(ctx context.Context, id string) (denied bool, err error) {
	for failures := 0; ; {
		g, err := inSession(ctx, d.sessions, func(by client.Attester) (api.GrantStatus, error) {
			return d.client.PendingGrant(ctx, d.key.AgentID, id, by, decisionWait)
		})
		_, refused := errors.AsType[refusal](err)
		switch {
		case ctx.Err() != nil:
			return false, context.Cause(ctx)
		case refused:
			return false, err
		case errors.Is(err, api.NotFound), err == nil && g.Status != api.StatusPending:
			return g.Status == api.StatusDenied, nil
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
