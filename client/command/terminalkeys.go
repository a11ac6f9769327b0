package command

import (
	"bytes"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A key of a terminal sends a signal to all processes that are in its foreground.
// While the terminal is taken, those are the command's, in a terminal of its own, and
// the launcher's are not among them.
type key struct {
	signal  syscall.Signal
	char    byte         // what it types
	pressed *atomic.Bool // while the command had the terminal
}

// signalKeys returns the keys of a terminal by which people end programs.
func signalKeys(fd int) []key {
	modes, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil
	}
	return []key{
		{unix.SIGINT, modes.Cc[unix.VINTR], new(atomic.Bool)},
		{unix.SIGQUIT, modes.Cc[unix.VQUIT], new(atomic.Bool)},
	}
}

// note looks for them in what was typed.
func (t *terminal) note(typed []byte) {
	for _, k := range t.keys {
		if bytes.IndexByte(typed, k.char) >= 0 {
			k.pressed.Store(true)
		}
	}
}

// endedBy returns the signal that has ended the command, if that may have come from a key
// of the terminal that the command had taken: the launcher's process group should have
// had it as well. Else it returns 0. However long ago the key was pressed, the command may
// have ended by it only now, as its cleaning up takes as long as it takes; so shells see it.
func (t *terminal) endedBy(s syscall.Signal) syscall.Signal {
	if !t.taken() {
		return 0
	}
	for _, k := range t.keys {
		if k.signal == s && k.pressed.Load() {
			return s
		}
	}
	return 0
}

// passOn sends the signal of a key to this process's group, so that a script or make ends
// as well, where no shell in between does. By SIGINT this process itself ends, which
// shells look at; SIGQUIT has the Go runtime print stacks, and is left to the exit status.
func passOn(s syscall.Signal) {
	if signal.Ignored(s) {
		return
	}
	if s == unix.SIGINT {
		signal.Reset(s)
	}
	unix.Kill(0, s)
	if s == unix.SIGINT {
		time.Sleep(notStopped) // it comes to one thread or another
	}
}
