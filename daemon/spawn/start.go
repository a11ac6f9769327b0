package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

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
		stopped: make(chan syscall.Signal, 1), empty: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
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
