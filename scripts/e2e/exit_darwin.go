package e2e

import (
	"time"

	"golang.org/x/sys/unix"
)

// awaitExit reports whether a process is gone, or goes before the deadline.
func awaitExit(pid int, deadline time.Time) (bool, error) {
	queue, err := unix.Kqueue()
	if err != nil {
		return false, err
	}
	defer unix.Close(queue)
	want := unix.Kevent_t{Ident: uint64(pid), Filter: unix.EVFILT_PROC, Flags: unix.EV_ADD | unix.EV_ONESHOT, Fflags: unix.NOTE_EXIT}
	if _, err := unix.Kevent(queue, []unix.Kevent_t{want}, nil, nil); err != nil {
		return err == unix.ESRCH, errUnless(err, unix.ESRCH)
	}
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		timeout := unix.NsecToTimespec(left.Nanoseconds())
		n, err := unix.Kevent(queue, nil, make([]unix.Kevent_t, 1), &timeout)
		if err != nil && err != unix.EINTR {
			return false, err
		}
		if n == 1 {
			return true, nil
		}
	}
}

func errUnless(err, expected error) error {
	if err == expected {
		return nil
	}
	return err
}
