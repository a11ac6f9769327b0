package e2e

import (
	"time"

	"golang.org/x/sys/unix"
)

// awaitExit reports whether a process is gone, or goes before the deadline.
func awaitExit(pid int, deadline time.Time) (bool, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == unix.ESRCH {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return false, nil
		}
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(left.Milliseconds())+1)
		if err != nil && err != unix.EINTR {
			return false, err
		}
		if n == 1 {
			return true, nil
		}
	}
}
