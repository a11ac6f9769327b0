package daemon

import (
	"math"

	"golang.org/x/sys/unix"
)

// waitHangup returns when the other end is closed for good. A client of the
// one-line form may well close its sending half and wait.
func (c *connection) waitHangup() {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	c.drain(math.MaxInt) // it is of no interest, and would hide the end
	raw.Read(func(fd uintptr) bool {
		poll := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(poll, 0)
		return err == nil && n > 0 && poll[0].Revents&(unix.POLLHUP|unix.POLLERR) != 0
	})
}
