package daemon

import (
	"context"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/vault/harden"
)

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

// deadly reports whether a signal is passed on, and ends a program which has said
// nothing about it.
func deadly(s syscall.Signal) bool {
	return ipc.Forwarded(s) && s != unix.SIGTSTP && s != unix.SIGCONT && !slices.Contains(unheeded, s)
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
