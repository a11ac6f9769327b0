package command

import (
	"errors"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// show writes what comes over the relay to the terminal. Who asks is told when
// nothing more has come.
func (t *terminal) show(asked *os.File) {
	defer close(t.shown)
	buf := make([]byte, 32<<10)
	for {
		switch ready(reads(t.relay), reads(int(asked.Fd()))) {
		case 0:
			n, err := unix.Read(t.relay, buf)
			if n > 0 {
				_, err = t.tty.Write(buf[:n])
			}
			if n <= 0 || err != nil {
				t.hangUp()
				return
			}
		case 1:
			unix.Read(int(asked.Fd()), buf[:1])
			t.told <- struct{}{}
		}
	}
}

// read passes on what is typed, until stop can be read. What is typed then is
// for somebody else.
func (t *terminal) read(stop int) {
	buf := make([]byte, 4096) // that much fits in when anything does
	for {
		if ready(reads(stop), unix.PollFd{Fd: int32(t.relay), Events: unix.POLLOUT}) == 0 || ready(reads(stop), reads(t.fd())) == 0 {
			return
		}
		n, err := unix.Read(t.fd(), buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if n <= 0 || err != nil {
			t.hangUp()
			return
		}
		t.note(buf[:n])
		if _, err := unix.Write(t.relay, buf[:n]); err != nil {
			return // there is no command any more
		}
	}
}

// reads makes what ready waits for: that something can be read.
func reads(fd int) unix.PollFd { return unix.PollFd{Fd: int32(fd), Events: unix.POLLIN} }

// ready waits for any of the files, and returns the first that is.
func ready(files ...unix.PollFd) int {
	for {
		if _, err := unix.Poll(files, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return 0
		}
		if i := slices.IndexFunc(files, func(f unix.PollFd) bool { return f.Revents != 0 }); i >= 0 {
			return i
		}
	}
}
