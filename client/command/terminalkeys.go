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
	char    byte          // what it types
	pressed *atomic.Int64 // when, in nanoseconds of Unix time
}

// keyTime is how long a command may take to end by a key. When that was pressed before, the
// command had its own mind about it, and ends by something else.
const keyTime = 10 * time.Second

// signalKeys returns the keys of a terminal by which people end programs.
func signalKeys(fd int) []key {
	modes, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil
	}
	return []key{
		{unix.SIGINT, modes.Cc[unix.VINTR], new(atomic.Int64)},
		{unix.SIGQUIT, modes.Cc[unix.VQUIT], new(atomic.Int64)},
	}
}

// note looks for them in what was typed.
func (t *terminal) note(typed []byte) {
	for _, k := range t.keys {
		if bytes.IndexByte(typed, k.char) >= 0 {
			k.pressed.Store(time.Now().UnixNano())
		}
	}
}

// endedBy returns the signal that has ended the command, if that came from a key of the
// terminal that the command had taken: the launcher's process group should have
// had it as well. Else it returns 0.
func (t *terminal) endedBy(s syscall.Signal) syscall.Signal {
	if !t.taken() {
		return 0
	}
	for _, k := range t.keys {
		if k.signal == s && time.Since(time.Unix(0, k.pressed.Load())) < keyTime {
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
