package drop

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// self and prod do nothing: no thread is sent a signal here.
func self() int { return 0 }

func prod(int) {}

// receive reads a message that is there already. No program is executed until its
// descriptors are closed when that happens.
func receive(fd int, b, oob []byte) (n int, fds []int, err error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for {
		n, got, _, _, err := unix.Recvmsg(fd, b, oob, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		fds, err = rights(oob[:got])
		for _, fd := range fds {
			unix.CloseOnExec(fd)
		}
		return n, fds, err
	}
}
