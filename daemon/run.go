package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// errStopped is the cause of a run's end when the daemon stops.
var errStopped = errors.New("the daemon was stopped")

// A beginning is what a request has the daemon start.
type beginning func(context.Context, *connection, ipc.Request, <-chan ipc.Signal) (*spawn.Run, error)

// run has a request's program started when there is a place for it, attends to it, and
// returns the last line.
func (d *enrolment) run(ctx context.Context, c *connection, req ipc.Request, start beginning) ipc.Response {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer d.underway.add(newUnderway(req, end))()
	signals := make(chan ipc.Signal, 64)
	go c.follow(req.V, signals, func() { end(errGone) })

	leave, err := d.place(ctx, c, req, signals)
	if leave != nil {
		defer leave()
	}
	if err != nil {
		d.log.Info("did not run a program", "project", asName(req.Project), "client", c.peer.PID, "err", err)
		return d.refused(err)
	}
	if req.Queue {
		c.answer(ipc.Response{OK: true, Placed: true})
	}
	began := time.Now()
	defer c.endAgent()
	r, err := start(ctx, c, req, signals)
	if err != nil {
		d.log.Info("did not run a program", "project", asName(req.Project), "client", c.peer.PID, "err", err, "took", time.Since(began))
		if ctx.Err() == nil && !clients(err) {
			d.failures.add(err)
		}
		return d.refused(err)
	}
	c.closeFiles()
	c.let()
	req = ipc.Request{V: req.V, Project: req.Project, Timeout: req.Timeout, Acks: req.Acks} // the rest can be long, and go
	d.running.Add(1)
	defer d.running.Add(-1)
	d.log.Info("started a program", "project", req.Project, "client", c.peer.PID, "took", time.Since(began))
	late := d.attend(ctx, c, r, signals, req)
	c.endAgent()
	exit, err := r.Exit()
	outcome := []any{"project", req.Project, "client", c.peer.PID, "status", exit.Status(), "took", time.Since(began)}
	if err != nil {
		outcome = append(outcome, "err", err)
	}
	silent, unknown := errors.AsType[*spawn.SilentError](err)
	if unknown {
		d.log.Error("could not end a program", outcome...)
		d.failures.add(err)
		return ipc.Response{Error: err.Error(), Hint: fmt.Sprintf("root ends it: sudo pkill -KILL -U %d", silent.UID)}
	}
	d.log.Info("a program ended", outcome...)
	switch {
	case errors.Is(context.Cause(ctx), errStopped):
		return ipc.Response{Error: errStopped.Error() + ", and the program with it"}
	case cutOff(ctx):
		return ipc.Response{Error: "the program was ended: " + context.Cause(ctx).Error(), Hint: client.Hint(context.Cause(ctx))}
	case late:
		return ipc.Response{Error: fmt.Sprintf("the program took longer than %v, and was ended", req.Timeout), ExitCode: new(ipc.StatusTimeout)}
	case err != nil:
		return ipc.Response{Error: err.Error()}
	}
	answer := ipc.Response{OK: true, ExitCode: new(exit.Status())}
	if req.V > 0 {
		answer.KilledBy = int(exit.Signal)
	}
	return answer
}

// grace is how long a program that took too long has to end itself.
const grace = 5 * time.Second

// attend passes signals on until nothing of the program is left, and reports
// whether it had to be told, because it took longer than it may.
func (d *Daemon) attend(ctx context.Context, c *connection, r *spawn.Run, signals <-chan ipc.Signal, req ipc.Request) (late bool) {
	defer context.AfterFunc(ctx, r.Kill)() // also while its client does not read what it is told
	up := after(req.Timeout)
	for {
		select {
		case s := <-signals:
			pass(r, s)
			if req.Acks && deadly(s.Signal) && c.answer(ipc.Response{OK: true, Ack: int(s.Signal)}) != nil {
				r.Kill()
			}
		case s := <-r.Stopped():
			if c.answer(ipc.Response{OK: true, Stopped: int(s)}) != nil {
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

// pass passes a signal on.
func pass(r *spawn.Run, s ipc.Signal) {
	if !ipc.Forwarded(s.Signal) {
		return
	}
	if s.Foreground && (s.Signal == unix.SIGCONT || s.Signal == unix.SIGWINCH) {
		s.Signal |= spawn.Foreground
	}
	r.Signal(s.Signal)
}

// after is [time.After], and never for 0.
func after(d time.Duration) <-chan time.Time {
	if d == 0 {
		return nil
	}
	return time.After(d)
}

// start gets the secrets and starts the program.
func (d *enrolment) start(ctx context.Context, c *connection, req ipc.Request, signals <-chan ipc.Signal) (*spawn.Run, error) {
	if err := d.admit(req); err != nil {
		return nil, err
	}
	spec, err := surroundings(c, req)
	if err != nil {
		return nil, err
	}
	req = withCanaries(req)
	names, err := wanted(req, spec.Dir)
	if err != nil {
		return nil, err
	}
	w := wish{names: names, needed: slices.Concat(req.Needed, req.SSH, handed(req)), all: len(req.Templates) > 0}
	by := d.caller(c.peer, spec.Dir)
	got, err := awaited(ctx, signals, func(ctx context.Context) (gift, error) {
		return d.patient(ctx, c, req, func(ctx context.Context) (gift, error) {
			w.look = d.look(spec, c.peer) // a person's decision can take hours
			return d.gather(ctx, spec.Dir, req, w, by)
		})
	})
	defer got.wipe()
	if err != nil {
		return nil, err
	}
	if got.offline != nil && req.Offline {
		c.answer(ipc.Response{OK: true, Offline: got.offline, ServerURL: d.client.URL()})
	}
	if err := d.pin(c, &spec, req, got); err != nil {
		return nil, err
	}
	if got.pin != nil && got.pin.Sealed {
		if err := seal(&spec, w.look); err != nil {
			return nil, err
		}
	}
	if err := d.handOver(&spec, req, got); err != nil {
		return nil, err
	}
	if len(req.SSH) > 0 {
		if err := d.startAgent(ctx, c, &spec, req, got, wish{names: names, look: w.look}, by); err != nil {
			return nil, err
		}
	}
	if len(got.missing) > 0 {
		c.answer(ipc.Response{OK: true, Missing: got.missing, GrantID: got.waiting, ServerURL: d.client.URL()})
	}
	if held := withoutAgent(got, req); len(held) > 0 {
		c.answer(ipc.Response{OK: true, SSHKeys: held})
	}
	spec.Secrets = secrets(renamed(got.values, req))
	mask, err := d.masks(c, req, got)
	if err != nil {
		return nil, err
	}
	if mask {
		spec.Needles = needles(spec, req, got)
	}
	d.withhold(c, &spec, req.Project)
	r, err := d.launch(ctx, c, spec, signals)
	if err == nil && !req.Canary {
		d.projects.ran(req.Project, c.peer.UID)
	}
	return r, err
}

// launch starts the program, once the client has taken the terminal for it, if
// there is one. From then on signals wait for the program: it may have its own
// mind about them.
func (d *Daemon) launch(ctx context.Context, c *connection, spec spawn.Spec, signals <-chan ipc.Signal) (*spawn.Run, error) {
	if spec.Terminal != nil {
		if err := spec.Terminal.Prepare(); err != nil {
			return nil, err
		}
		c.answer(ipc.Response{OK: true, Terminal: true})
		var err error
		if spec.Terminal.Foreground, err = taken(ctx, signals); err != nil {
			return nil, err
		}
	}
	leave, err := d.seat(ctx, c)
	if err != nil {
		return nil, err
	}
	r, err := d.starter.Start(ctx, spec)
	if err != nil {
		leave()
	} else {
		go func() {
			<-r.Gone()
			leave()
		}()
	}
	if e, ok := errors.AsType[*spawn.UnclearError](err); ok {
		err = client.WithHint(err, clearHint(e.UID))
	} else if errors.Is(err, spawn.ErrBusy) {
		err = client.WithHint(err, moreUsers)
	}
	return r, err
}

// seat takes one of the users for a client's program, where it is another user's.
func (d *Daemon) seat(ctx context.Context, c *connection) (leave func(), err error) {
	if len(d.cfg.Spawners) == 0 {
		return func() {}, nil
	}
	return d.seats.take(ctx, c.peer.UID, seatTimeout)
}

// clearHint says how a user's home directory is cleared that its user cannot clear.
func clearHint(uid int) string {
	u, err := user.LookupId(strconv.Itoa(uid))
	// No line that empties what is not just that user's.
	if err != nil || !filepath.IsAbs(u.HomeDir) || filepath.Base(u.HomeDir) != u.Username || filepath.Dir(u.HomeDir) == "/" {
		return "root looks why: journalctl --unit 'cortex-spawner@*'"
	}
	return "root empties it: sudo rm -rf " + u.HomeDir + "; why: journalctl --unit 'cortex-spawner@*'"
}

// takeTimeout is how long a client may take over its terminal: as long the program's
// values wait here. One that was stopped meanwhile is a client that did not.
const takeTimeout = time.Minute

// taken waits for the client to take its terminal, or to leave it to others: it
// returns whether the program is in the foreground.
func taken(ctx context.Context, signals <-chan ipc.Signal) (foreground bool, err error) {
	late := time.After(takeTimeout)
	for {
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-late:
			return false, client.WithHint(fmt.Errorf("nobody has taken the terminal for %v: the program was not started", takeTimeout), "run it again")
		case s := <-signals:
			if s.Signal == unix.SIGCONT {
				return s.Foreground, nil
			}
			if deadly(s.Signal) {
				return false, harden.Ended{Signal: s.Signal}
			}
		}
	}
}

// awaited gets something, unless a signal comes that would end the program: that is a
// [harden.Ended]. With an error there may be something, too.
func awaited[T any](ctx context.Context, signals <-chan ipc.Signal, get func(context.Context) (T, error)) (T, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	unwatch := watch(signals, stop)
	got, err := get(ctx)
	unwatch()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return got, err
}

// deadly reports whether a signal is passed on, and ends a program which has said
// nothing about it.
func deadly(s syscall.Signal) bool {
	return ipc.Forwarded(s) && s != unix.SIGTSTP && s != unix.SIGCONT && !slices.Contains(unheeded, s)
}

// watch calls stop when a signal comes that would end the program. The function
// it returns ends the watch, and with it the reading of signals.
func watch(signals <-chan ipc.Signal, stop context.CancelCauseFunc) func() {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			case s := <-signals:
				if deadly(s.Signal) {
					stop(harden.Ended{Signal: s.Signal})
				}
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// asName returns a project's name, and nothing for what could not be one: clients send
// what they like, and the log is not to have all of it.
func asName(project string) string {
	if !proof.ValidName(project) {
		return ""
	}
	return project
}

// admit refuses what needs no look at anything else. The server it is meant
// for comes before any packet is sent.
func (d *enrolment) admit(req ipc.Request) error {
	switch {
	case req.Program == "":
		return fmt.Errorf("%w: program is missing", ipc.ErrMalformed)
	case !proof.ValidName(req.Project) && !(req.Canary && req.Project == ""):
		return errors.New("bad project name: use 1 to 128 of A-Z a-z 0-9 _ . - and no dot in front")
	case req.Names == nil && d.cfg.Group != "":
		// It would be with our rights, which are not the client's.
		return client.WithHint(errors.New("this daemon is another user's, and reads no files of yours"), "use cortex run, which sends the names")
	case req.URL != nil && !client.SameServer(*req.URL, d.client.URL()):
		return d.wrongServer(*req.URL)
	}
	return nil
}

// errWrongServer is in the chain of the error about a request for another
// server than the enrolled one.
var errWrongServer = errors.New("this host is enrolled elsewhere")

func (d *enrolment) wrongServer(url string) error {
	origin, err := client.Origin(url)
	if err != nil {
		return client.WithHint(fmt.Errorf("%w: this host's daemon is enrolled at %s: %w", errWrongServer, d.client.URL(), err), "use --url "+d.client.URL())
	}
	return client.WithHint(fmt.Errorf("%w: this host's daemon is enrolled at %s, not at %s", errWrongServer, d.client.URL(), origin),
		fmt.Sprintf("use --url %s, or log in there: %s", d.client.URL(), identity.LoginCommand(d.key.AgentID, origin)))
}

// wanted returns the names to ask for, sorted, each once.
func wanted(req ipc.Request, dir *os.File) ([]string, error) {
	var names []string
	var err error
	if req.Names != nil {
		names = *req.Names
	} else if names, err = namesIn(dir, req.EnvFile); err != nil {
		return nil, fmt.Errorf("reading the names: %w", err)
	}
	names = slices.Concat(names, asked(req))
	slices.Sort(names)
	names = slices.Compact(names)
	// They travel as a text. What does not come out as it went in would be
	// other names.
	again, err := dotenv.Names(dotenv.Form(names))
	if err != nil {
		return nil, fmt.Errorf("%w: names: %w", ipc.ErrMalformed, err)
	}
	if !slices.Equal(names, again) {
		return nil, fmt.Errorf("%w: names hold something that is no name", ipc.ErrMalformed)
	}
	return names, nil
}

// renamed returns the values of the program's variables, by the names that it is
// to have them as.
func renamed(values map[string]opaque.Bytes, req ipc.Request) map[string]opaque.Bytes {
	if req.Names == nil {
		return values
	}
	given := map[string]opaque.Bytes{}
	for _, name := range *req.Names {
		if v, ok := values[name]; ok {
			given[name] = v
		}
	}
	for _, a := range req.Aliases {
		name, alias, _ := strings.Cut(a, "=")
		if v, ok := values[alias]; ok {
			given[name] = v
		}
	}
	return given
}

func secrets(values map[string]opaque.Bytes) []spawn.Secret {
	list := make([]spawn.Secret, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, spawn.Secret{Name: name, Value: values[name]})
	}
	return list
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
