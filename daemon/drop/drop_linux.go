package drop

import (
	"errors"

	"golang.org/x/sys/unix"
)

// self returns the thread that this goroutine is locked to.
func self() int { return unix.Gettid() }

// prod sends a thread a signal that the runtime takes for one of its own: nothing comes of it
// but that a wait in the kernel ends.
func prod(thread int) { unix.Tgkill(unix.Getpid(), thread, unix.SIGURG) }

// receive reads a message that is there already.
func receive(fd int, b, oob []byte) (n int, fds []int, err error) {
	for {
		n, got, _, _, err := unix.Recvmsg(fd, b, oob, unix.MSG_DONTWAIT|unix.MSG_CMSG_CLOEXEC)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return 0, nil, err
		}
		fds, err = rights(oob[:got])
		return n, fds, err
	}
}
