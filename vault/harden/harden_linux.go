package harden

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// measures does what Linux offers.
func measures(opts Options) []Measure {
	list := []Measure{notDumpable(), noCore(), umask()}
	if !opts.NewPrivileges {
		list = append(list, noNewPrivileges())
	}
	return append(list, swap(system))
}

// notDumpable closes /proc/PID/mem, ptrace and core dumps to processes of the
// same user.
func notDumpable() Measure {
	return took("not dumpable", "closed to ptrace by its own user", hide())
}

func hide() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// umask makes new files readable to nobody else.
func umask() Measure {
	unix.Umask(0o077)
	return took("umask", "077", nil)
}

// noNewPrivileges makes exec grant no privileges. It is a property of each
// thread, and the runtime can set it on all of them only in programs without
// cgo, as ours are. Elsewhere it is set on none: on one it is worth nothing.
func noNewPrivileges() Measure {
	_, _, errno := syscall.AllThreadsSyscall6(syscall.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	var err error
	switch {
	case errors.Is(errno, syscall.ENOTSUP):
		err = errors.New("cannot be set on all threads of a program built with cgo")
	case errno != 0:
		err = errno
	}
	return took("no new privileges", "set-uid programs gain nothing", err)
}
