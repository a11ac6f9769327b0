package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/harden"
)

// errStopped is the cause of a run's end when the daemon stops.
var errStopped = errors.New("the daemon was stopped")

// A job is a request for a program that is carried out.
type job struct {
	*enrolment
	c       *connection // that it came on
	req     ipc.Request
	signals <-chan ipc.Signal // for the program
}

// A beginning is what a job has the daemon start.
type beginning func(*job, context.Context) (*spawn.Run, error)

// run has a request's program started when there is a place for it, attends to it, and
// returns the last line.
func (d *enrolment) run(ctx context.Context, c *connection, req ipc.Request, start beginning) ipc.Response {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer d.projects.underway.add(newUnderway(req, end))()
	signals := make(chan ipc.Signal, 64)
	go c.follow(req.V, signals, func() { end(errGone) })

	j := &job{d, c, req, signals}
	leave, err := j.place(ctx)
	if leave != nil {
		defer leave()
	}
	if err != nil {
		d.log.Info("did not run a program", "project", asName(j.req.Project), "client", c.peer.PID, "err", err)
		return d.refused(err)
	}
	if j.req.Queue {
		c.answer(ipc.Response{OK: true, Placed: true})
	}
	began := time.Now()
	defer c.endAgent()
	r, err := start(j, ctx)
	if err != nil {
		d.log.Info("did not run a program", "project", asName(j.req.Project), "client", c.peer.PID, "err", err, "took", time.Since(began))
		if ctx.Err() == nil && !clients(err) {
			d.failures.add(err)
		}
		return d.refused(err)
	}
	c.closeFiles()
	c.let()
	j.req = ipc.Request{V: j.req.V, Project: j.req.Project, Timeout: j.req.Timeout, Acks: j.req.Acks} // the rest can be long, and go
	d.running.Add(1)
	defer d.running.Add(-1)
	d.log.Info("started a program", "project", j.req.Project, "client", c.peer.PID, "took", time.Since(began))
	late := j.attend(ctx, r)
	c.endAgent()
	return j.ended(ctx, r, late, time.Since(began))
}

// ended returns the last line about a program that has ended: it was late if it took longer
// than it may.
func (j *job) ended(ctx context.Context, r *spawn.Run, late bool, took time.Duration) ipc.Response {
	exit, err := r.Exit()
	outcome := []any{"project", j.req.Project, "client", j.c.peer.PID, "status", exit.Status(), "took", took}
	if err != nil {
		outcome = append(outcome, "err", err)
	}
	silent, unknown := errors.AsType[*spawn.SilentError](err)
	if unknown {
		j.log.Error("could not end a program", outcome...)
		j.failures.add(err)
		return ipc.Response{Error: err.Error(), Hint: fmt.Sprintf("root ends it: sudo pkill -KILL -U %d", silent.UID)}
	}
	j.log.Info("a program ended", outcome...)
	switch {
	case errors.Is(context.Cause(ctx), errStopped):
		return ipc.Response{Error: errStopped.Error() + ", and the program with it"}
	case cutOff(ctx):
		return ipc.Response{Error: "the program was ended: " + context.Cause(ctx).Error(), Hint: client.Hint(context.Cause(ctx))}
	case late:
		return ipc.Response{Error: fmt.Sprintf("the program took longer than %v, and was ended", j.req.Timeout), ExitCode: new(ipc.StatusTimeout)}
	case err != nil:
		return ipc.Response{Error: err.Error()}
	}
	answer := ipc.Response{OK: true, ExitCode: new(exit.Status())}
	if j.req.V > 0 {
		answer.KilledBy = int(exit.Signal)
	}
	return answer
}

// grace is how long a program that took too long has to end itself.
const grace = 5 * time.Second

// attend passes signals on until nothing of the program is left, and reports
// whether it had to be told, because it took longer than it may.
func (j *job) attend(ctx context.Context, r *spawn.Run) (late bool) {
	defer context.AfterFunc(ctx, r.Kill)() // also while its client does not read what it is told
	up := after(j.req.Timeout)
	for {
		select {
		case s := <-j.signals:
			pass(r, s)
			if j.req.Acks && deadly(s.Signal) && j.c.answer(ipc.Response{OK: true, Ack: int(s.Signal)}) != nil {
				r.Kill()
			}
		case s := <-r.Stopped():
			if j.c.answer(ipc.Response{OK: true, Stopped: int(s)}) != nil {
				r.Kill()
			}
		case <-up:
			if late {
				r.Kill()
				break
			}
			late, up = true, after(grace)
			r.Signal(unix.SIGTERM)
			r.Signal(unix.SIGCONT) // one that is stopped hears nothing
		case <-r.Done():
			return late
		}
	}
}

// after is [time.After], and never for 0.
func after(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// refused turns an error into the last line.
func (d *enrolment) refused(err error) ipc.Response {
	r := failure(err)
	if e, ok := errors.AsType[harden.Ended](err); ok {
		return ipc.Response{OK: true, ExitCode: new(e.Status())}
	}
	if e, ok := errors.AsType[*spawn.StartError](err); ok {
		r.ExitCode = &e.Status
	}
	if errors.Is(err, errMustMask) {
		r.ErrorCode = ipc.MustMask
	}
	if _, ok := errors.AsType[*seatError](err); ok || errors.Is(err, spawn.ErrBusy) || errors.Is(err, errBusy) {
		r.ErrorCode = ipc.Busy
	}
	if errors.Is(err, errWrongServer) {
		r.ErrorCode = ipc.WrongServer
	}
	if e, ok := errors.AsType[*api.Error](err); ok {
		r.ErrorCode = string(e.Code)
	}
	if errors.Is(err, errAway) {
		r.ErrorCode = ipc.ServerAway
	}
	return d.tellWaiting(r, err)
}
