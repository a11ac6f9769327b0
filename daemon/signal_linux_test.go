package daemon

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/harden"
)

func TestDeadly(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGTERM, unix.SIGIO, unix.SIGPWR, unix.SIGSTKFLT, 35, 64} {
		if !deadly(s) {
			t.Errorf("%v does not end a program", s)
		}
	}
	for _, s := range []syscall.Signal{unix.SIGTSTP, unix.SIGCONT, unix.SIGWINCH, unix.SIGCHLD, unix.SIGURG, unix.SIGKILL, unix.SIGSEGV} {
		if deadly(s) {
			t.Errorf("%v ends a program", s)
		}
	}
}

// Values wait for a client to take its terminal, but not for ever, whatever else it sends.
func TestTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan ipc.Signal)
		ended, end := context.WithCancel(t.Context())
		defer end()
		go func() {
			for {
				select {
				case <-ended.Done():
					return
				case <-time.After(takeTimeout / 8):
				}
				select {
				case <-ended.Done():
					return
				case signals <- ipc.Signal{Signal: unix.SIGWINCH, Foreground: true}:
				}
			}
		}()
		began := time.Now()
		if _, err := taken(t.Context(), signals); err == nil || time.Since(began) != takeTimeout {
			t.Errorf("%v, after %v", err, time.Since(began))
		}
	})
	signals := make(chan ipc.Signal, 1)
	for s, foreground := range map[ipc.Signal]bool{{Signal: unix.SIGCONT, Foreground: true}: true, {Signal: unix.SIGCONT}: false} {
		signals <- s
		if got, err := taken(t.Context(), signals); got != foreground || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	signals <- ipc.Signal{Signal: unix.SIGTERM}
	if _, err := taken(t.Context(), signals); !errors.Is(err, harden.Ended{Signal: unix.SIGTERM}) {
		t.Error(err)
	}
}
