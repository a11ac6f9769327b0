package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// A Starter starts programs. Make it with [NewStarter].
type Starter struct {
	launch  launcher
	lacking atomic.Uint32 // a bare
	warming sync.WaitGroup
	mu      sync.Mutex // guards what follows
	spare   *Run       // nil while there is none
	coming  bool       // a spare is being made
	closed  bool
	changed chan struct{} // closed when there may be a monitor to have
}

// ErrClosed is returned by a Starter that was closed.
var ErrClosed = errors.New("no programs are started any more")

// NewStarter returns a Starter and begins to make a spare monitor.
//
// With adopt, this process becomes the parent of what a program leaves behind
// that killed its monitor, and kills it, where the system can do that. It then
// takes every child for such a one, and must have none of its own.
func NewStarter(adopt bool) *Starter {
	var p parent
	if adopt {
		p.strays = newStrays()
	}
	return newStarter(p.launch)
}

// NewRemoteStarter returns a Starter whose programs are of the users of the
// [Spawner]s at some sockets: each user has one program at a time. One that finds
// none free waits a while, and then there is [ErrBusy].
func NewRemoteStarter(socks ...string) *Starter {
	s := &Starter{changed: make(chan struct{})}
	s.launch = newPool(socks, func() {
		s.tell()
		s.warm()
	}).launch
	s.warm()
	return s
}

func newStarter(launch launcher) *Starter {
	s := &Starter{launch: launch, changed: make(chan struct{})}
	s.warm()
	return s
}

// tell wakes those who wait for a monitor.
func (s *Starter) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// Close ends the spare monitor. Programs that run are not touched.
func (s *Starter) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.warming.Wait()
	s.mu.Lock()
	spare := s.spare
	s.spare = nil
	s.mu.Unlock()
	if spare != nil {
		spare.unused()
		spare.Kill()
		<-spare.Done()
	}
}

// warm makes a spare monitor in the background, unless there is one.
func (s *Starter) warm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.coming || s.spare != nil {
		return
	}
	s.coming = true
	s.warming.Go(func() {
		r, err := newMonitor(s.launch, s.note)
		defer s.tell()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.coming = false
		if err == nil { // else the next program's start will tell
			s.spare = r
		}
	})
}

// freeTimeout is how long a program waits for a user that it can be.
const freeTimeout = 5 * time.Second

// take returns the spare monitor if it is alive, else a new one.
func (s *Starter) take(ctx context.Context) (*Run, error) {
	var late <-chan time.Time
	for {
		r, changed, err := s.tryTake()
		if !errors.Is(err, ErrBusy) {
			return r, err
		}
		if late == nil {
			late = time.After(freeTimeout)
		}
		select {
		case <-changed:
		case <-late:
			return nil, err
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// tryTake is take that does not wait. When it may be worth another try, changed is
// closed.
func (s *Starter) tryTake() (r *Run, changed <-chan struct{}, err error) {
	s.mu.Lock()
	r, closed, changed := s.spare, s.closed, s.changed
	s.spare = nil
	s.mu.Unlock()
	if closed {
		return nil, changed, ErrClosed
	}
	if r != nil {
		select {
		case <-r.done:
			r.unused()
		default:
			return r, changed, nil
		}
	}
	r, err = newMonitor(s.launch, s.note)
	return r, changed, err
}

// short is how long a program may take until its end is not waited for any more.
const short = 20 * time.Millisecond

// warmAfter makes a spare monitor when a program has ended, or has run for a while: before,
// that would be in the way of one that is short, and of who waits for it.
func (s *Starter) warmAfter(r *Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.warming.Go(func() {
		late := time.NewTimer(short)
		defer late.Stop()
		select {
		case <-r.Done():
		case <-late.C:
		}
		s.warm()
	})
}

// Start starts a program. The files of spec may be closed and its secrets
// wiped once it returns. Errors are a [StartError] for a program that cannot
// be executed, [ErrSpec] for one that never could, or others. When ctx ends
// before the program is there, there will be none.
func (s *Starter) Start(ctx context.Context, spec Spec) (*Run, error) {
	form, err := spec.encode()
	if err != nil {
		return nil, err
	}
	defer clear(form)
	r, err := s.take(ctx)
	if err != nil {
		s.warm()
		return nil, err
	}
	err = r.start(ctx, form, spec)
	if errors.Is(err, errLost) && ctx.Err() == nil {
		// Somebody killed the spare one.
		r.Kill()
		if r, err = s.take(ctx); err == nil {
			err = r.start(ctx, form, spec)
		}
	}
	if err != nil {
		s.warm()
		if r != nil {
			r.Kill()
			if len(spec.Exposed) > 0 {
				<-r.Done() // and they are gone
			}
		}
		return nil, err
	}
	s.warmAfter(r)
	return r, nil
}

// A Run is a program that was started.
type Run struct {
	monitor process
	control *net.UnixConn
	spec    *net.UnixConn // until the program is started, and whoever starts it closes it
	output  *net.UnixConn // so, too
	tty     tty           // so, too
	note    func(bare)    // hears what monitor and child lack
	stopped chan syscall.Signal
	done    chan struct{}
	gone    chan struct{}
	killing sync.Once

	// Set before done is closed.
	exit Exit
	err  error
}

// ErrLost is returned for a program whose monitor was killed. The program was
// killed with it, and on Linux what else was in its session; how it would have
// ended is not known.
var ErrLost = errors.New("the program's monitor was killed")

// errLost means that the monitor went away before it had a program.
var errLost = errors.New("the monitor has ended")

// newMonitor starts a monitor, which starts its child; note hears what they lack.
func newMonitor(launch launcher, note func(bare)) (*Run, error) {
	control, controlEnd, err := pair()
	if err != nil {
		return nil, err
	}
	defer controlEnd.Close()
	spec, specEnd, err := pair()
	if err != nil {
		control.Close()
		return nil, err
	}
	defer specEnd.Close()
	output, outputEnd, err := pair()
	if err != nil {
		control.Close()
		spec.Close()
		return nil, err
	}
	defer outputEnd.Close()
	monitor, t, err := launch([]*os.File{controlEnd, specEnd, outputEnd})
	if err != nil {
		control.Close()
		spec.Close()
		output.Close()
		return nil, err
	}
	r := &Run{
		monitor: monitor, control: control, spec: spec, output: output, tty: t, note: note,
		stopped: make(chan syscall.Signal, 1), done: make(chan struct{}), gone: make(chan struct{}),
	}
	go r.follow()
	return r, nil
}

// unused closes what a program would be started with.
func (r *Run) unused() {
	r.spec.Close()
	r.output.Close()
	r.tty.close()
}

// pair returns a connection and a file that is its other end.
func pair() (*net.UnixConn, *os.File, error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	ours, other := os.NewFile(uintptr(fds[0]), "socketpair"), os.NewFile(uintptr(fds[1]), "socketpair")
	defer ours.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		other.Close()
		return nil, nil, fmt.Errorf("making a socket pair: %w", err)
	}
	return conn.(*net.UnixConn), other, nil
}

// startTimeout is how long a program may take to be executed.
const startTimeout = 30 * time.Second

// start hands the child its spec and waits until it has become the program.
func (r *Run) start(ctx context.Context, form []byte, spec Spec) error {
	defer r.unused()
	if spec.Owned != nil {
		if err := spec.Owned(r.monitor.owner()); err != nil {
			return err
		}
	}
	d, err := divert(spec, r.tty)
	if err != nil {
		return err
	}
	defer d.close()
	if err := d.send(r.output, spec); err != nil {
		return r.notStarted(ctx, err)
	}
	r.spec.SetDeadline(time.Now().Add(startTimeout))
	defer context.AfterFunc(ctx, func() { r.spec.SetDeadline(time.Unix(1, 0)) })()
	fds := []int{int(spec.Dir.Fd())}
	for _, f := range d.streams {
		if f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	fds = append(fds, d.further...)
	n, _, err := r.spec.WriteMsgUnix(form, unix.UnixRights(fds...), nil)
	if err == nil && n < len(form) { // writing nothing could fail: a program may be over by now
		_, err = r.spec.Write(form[n:])
	}
	if err != nil {
		return r.notStarted(ctx, fmt.Errorf("%w: %w", errLost, err))
	}
	// The program does not have this socket: its end is the good news.
	answer, err := io.ReadAll(io.LimitReader(r.spec, maxAnswer))
	if errors.Is(err, unix.ECONNRESET) { // it ended without having read all
		err = fmt.Errorf("%w: %w", errLost, err)
	}
	if err != nil {
		return r.notStarted(ctx, fmt.Errorf("waiting for the program to start: %w", err))
	}
	if len(answer) > 1 && answer[0] == childBare {
		r.note(bare(answer[1]))
		answer = answer[2:]
	}
	if len(answer) > 0 {
		return &StartError{Status: int(answer[0]), Text: string(answer[1:])}
	}
	return nil
}

const maxAnswer = 64 << 10

func (r *Run) notStarted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// follow reads what the monitor reports, and collects it when it ends.
func (r *Run) follow() {
	r.exit, r.err = r.ended()
	if errors.Is(r.err, ErrLost) {
		late := time.AfterFunc(silence, r.monitor.giveUp)
		if err := r.monitor.sweep(); err != nil {
			r.err = err
		}
		late.Stop()
	}
	close(r.done)
	r.monitor.wait()
	close(r.gone)
	r.control.Close()
}

// ended returns the last report.
func (r *Run) ended() (Exit, error) {
	report := make([]byte, 2)
	var lost error
	for {
		if _, err := io.ReadFull(r.control, report); err != nil {
			return Exit{}, ErrLost
		}
		switch what, n := report[0], report[1]; what {
		case reportStopped:
			select {
			case r.stopped <- syscall.Signal(n):
			default: // nobody has heard of the last one yet
			}
		case reportExited:
			return Exit{Code: int(n)}, lost
		case reportKilled:
			return Exit{Signal: syscall.Signal(n)}, lost
		case reportBare:
			r.note(bare(n))
		case reportLost:
			lost = fmt.Errorf("passing on what the program printed: %w", syscall.Errno(n))
		case reportFailed:
			return Exit{}, fmt.Errorf("the monitor cannot start a process: %w", syscall.Errno(n))
		}
	}
}

// Foreground is added to SIGCONT or SIGWINCH to have a program with a terminal in
// its foreground. Without it, it is in the background afterwards, and is stopped
// if it wants to read.
const Foreground syscall.Signal = 0x80

// Signal sends a signal to the program: SIGINT, SIGQUIT, SIGHUP, SIGTSTP,
// SIGCONT and SIGWINCH to its process group, others to it alone. Of a program
// that has ended there is nothing to signal, which is no error.
func (r *Run) Signal(s syscall.Signal) error {
	if plain := s &^ Foreground; plain < 1 || plain > ipc.MaxSignal {
		return fmt.Errorf("no signal has the number %d", s)
	}
	r.control.SetWriteDeadline(time.Now().Add(startTimeout))
	_, err := r.control.Write([]byte{byte(s)})
	r.wake()
	if errors.Is(err, unix.EPIPE) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Stopped delivers the signals that stop the program.
func (r *Run) Stopped() <-chan syscall.Signal { return r.stopped }

// wake lets a monitor go on that its program has stopped.
func (r *Run) wake() { r.monitor.wake() }

// killTimeout is how long a monitor may take to kill what it watches over. It
// takes a millisecond, unless its program keeps it from that.
const killTimeout = 5 * time.Second

// silence is how long a spawner may be silent after all was to be killed. It is more
// than systemd waits before it kills one that does not go on: see [pulse].
const silence = 20 * time.Second

// Kill kills the program and everything below it. Done tells when that has
// happened.
func (r *Run) Kill() {
	r.killing.Do(func() {
		r.control.CloseWrite()
		r.wake()
		late, silent := time.AfterFunc(killTimeout, r.monitor.kill), time.AfterFunc(silence, r.giveUp)
		go func() {
			<-r.done
			late.Stop()
			silent.Stop()
		}()
	})
}

// giveUp has Done closed though nobody says that the program has ended.
func (r *Run) giveUp() {
	r.monitor.giveUp()
	r.control.SetReadDeadline(time.Unix(1, 0))
}

// Done is closed when the program has ended and nothing of it is left, or when Exit
// tells that this is not known.
func (r *Run) Done() <-chan struct{} { return r.done }

// Gone is closed when nothing of the program is left, which takes as long as it takes.
func (r *Run) Gone() <-chan struct{} { return r.gone }

// Exit returns how the program ended, and an error if what it printed could not
// all be written; or [ErrLost], or a [SilentError]. It may be called once Done
// is closed.
func (r *Run) Exit() (Exit, error) { return r.exit, r.err }
