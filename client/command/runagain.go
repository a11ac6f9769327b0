package command

import (
	"errors"
	"os"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
)

// placeTimeout is how long a daemon is asked again that has no place for a command. One
// that has waited as long for a place itself is not asked again.
const placeTimeout = 30 * time.Second

// The pauses between two tries, more or less.
const (
	shortPause = 50 * time.Millisecond
	longPause  = time.Second
)

// errUnread is the end of a connection of which the daemon has not read the request: it
// turned it away, or has ended.
var errUnread = client.WithHint(errors.New("the daemon closed the connection and did not read the request: the command was not started"),
	"see whether it runs: cortex daemon status")

// unread reports whether a connection that has ended without a word from the daemon did
// so before the daemon had all of the request: it was still being written, or lay unread.
func unread(sendErr, readErr error) bool {
	return errors.Is(sendErr, unix.EPIPE) || errors.Is(sendErr, unix.ECONNRESET) || errors.Is(readErr, unix.ECONNRESET)
}

// again reports whether a command was not started that may be at the next try.
func again(err error) bool {
	e, ok := errors.AsType[*refusedError](err)
	return ok && e.code == ipc.Busy || errors.Is(err, errUnread) || errors.Is(err, unix.EAGAIN)
}

// keep is told when the daemon keeps the descriptors: those that are for the command are
// its alone from then on.
func (r *runRequest) keep() {
	r.kept = true
	r.terminal.sent()
	r.sentFurther()
}

// paused waits, and returns the signal that ends it, 0 for none.
func paused(signals <-chan os.Signal, d time.Duration) syscall.Signal {
	over := time.After(d)
	for {
		select {
		case s := <-signals:
			if slices.Contains(ends, s) {
				return s.(syscall.Signal)
			}
		case <-over:
			return 0
		}
	}
}
