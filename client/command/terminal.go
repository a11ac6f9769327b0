package command

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// A terminal is the caller's. The command has one of its own, whose other end the
// daemon's side has: what is typed here goes there over a relay, and what is to
// be shown comes back. While the command is in the foreground this one is in raw
// mode, and every key is the command's.
//
// Nil is the terminal of a caller that has none.
type terminal struct {
	tty   *os.File
	relay int      // ours
	far   *os.File // the daemon's end, until it is sent
	shown chan struct{}
	ask   *os.File      // the other end of what show listens to
	told  chan struct{} // answers it

	wanted bool        // the command is to have the foreground when there is one
	began  bool        // the daemon is ready
	modes  *term.State // to be restored; nil while the terminal is not taken
	keys   []key       // of the terminal, for signals, since it was first taken
	stop   func()      // ends the reading
}

// openTerminal returns the caller's terminal. It is taken at once where it is
// both standard input and output, else when the command asks for it: another
// part of a pipeline may use it.
func openTerminal(streams [3]*os.File) (*terminal, error) {
	tty := findTerminal(streams)
	if tty == nil {
		return nil, nil
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	t := &terminal{tty: tty, relay: fds[0], far: os.NewFile(uintptr(fds[1]), "relay"), shown: make(chan struct{}), told: make(chan struct{}, 1)}
	asked, ask, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	t.ask = ask
	t.wanted = isTerminal(streams[0]) && isTerminal(streams[1]) && t.controls()
	go t.show(asked)
	return t, nil
}

// findTerminal prefers the terminal that is a stream to the controlling one: it
// may be another.
func findTerminal(streams [3]*os.File) *os.File {
	for _, f := range streams {
		mode, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err == nil && mode&unix.O_ACCMODE == unix.O_RDWR && isTerminal(f) {
			return f
		}
	}
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		return tty
	}
	return nil
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func (t *terminal) fd() int { return int(t.tty.Fd()) }

// controls reports whether job control is about this terminal.
func (t *terminal) controls() bool {
	_, err := unix.IoctlGetInt(t.fd(), unix.TIOCGPGRP)
	return err == nil
}

// mine reports whether this process may use the terminal.
func (t *terminal) mine() bool {
	group, err := unix.IoctlGetInt(t.fd(), unix.TIOCGPGRP)
	return err != nil || group == unix.Getpgrp()
}

// settle returns when everything that has come is on the terminal, or when that
// takes too long.
func (t *terminal) settle() {
	select {
	case <-t.told: // too late
	default:
	}
	t.ask.Write([]byte{0})
	select {
	case <-t.told:
	case <-t.shown:
	case <-time.After(ackTimeout):
	}
}

// hangUp ends the command's terminal, as when a window is closed.
func (t *terminal) hangUp() { unix.Shutdown(t.relay, unix.SHUT_RDWR) }

// take puts the terminal in raw mode and begins to read from it, and reports
// whether that could be done. What it was before is kept from the first time on.
func (t *terminal) take() bool {
	keys := signalKeys(t.fd())
	modes, err := term.MakeRaw(t.fd())
	if err != nil {
		return false
	}
	if t.modes != nil {
		return true
	}
	t.modes = modes
	if t.keys == nil {
		t.keys = keys
	}
	stopped, stop, err := os.Pipe()
	if err != nil {
		t.release()
		return false
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer stopped.Close()
		t.read(int(stopped.Fd()))
	}()
	t.stop = func() {
		stop.Close()
		<-done
	}
	return true
}

// release leaves the terminal as it was, if it was taken and nobody else has it
// by now.
func (t *terminal) release() {
	if t == nil || t.modes == nil {
		return
	}
	if t.stop != nil {
		t.stop()
	}
	if t.mine() {
		term.Restore(t.fd(), t.modes)
	}
	t.modes, t.stop = nil, nil
}
