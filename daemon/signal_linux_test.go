package daemon

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
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
