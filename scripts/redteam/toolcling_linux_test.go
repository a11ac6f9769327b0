package redteam

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// cling makes so many connections, one after the other, and hangs up on each when the
// other side has as many descriptors as a request may carry, of which one takes long to
// close: a socket that waits for its own other end, which reads nothing.
func cling(sock, text string) error {
	n, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	far, err := deaf()
	done := 0
	for ; done < n && err == nil; done++ {
		err = clingOnce(sock, far)
	}
	fmt.Printf("clung %d times, %v\n", done, err)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func clingOnce(sock string, far unix.Sockaddr) error {
	any, err := net.DialTimeout("unix", sock, time.Second)
	if err != nil {
		return err
	}
	conn := any.(*net.UnixConn)
	defer conn.Close()
	slow, err := lingering(far)
	if err != nil {
		return err
	}
	files := []int{slow}
	for len(files) < ipc.MaxFiles {
		files = append(files, 0)
	}
	if _, _, err = conn.WriteMsgUnix([]byte("{"), unix.UnixRights(files...), nil); err != nil {
		return err
	}
	// Before the other side closes the last one; if it has not taken it, that is this one.
	closed := make(chan error, 1)
	go func() { closed <- unix.Close(slow) }()
	select {
	case <-closed:
	case <-time.After(time.Second):
		return errUntaken
	}
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	conn.SetReadDeadline(time.Now().Add(time.Second))
	_, err = io.Copy(io.Discard, conn)
	return err
}

var errUntaken = errors.New("the descriptors were not taken")

// deaf is where sockets connect to, and nobody reads.
func deaf() (unix.Sockaddr, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<10),
		unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}),
		unix.Listen(fd, 4096),
	)
	if err != nil {
		return nil, err
	}
	return unix.Getsockname(fd)
}

// lingering returns a socket that is full, and takes ten minutes to close.
func lingering(far unix.Sockaddr) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	err = errors.Join(unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 32<<10), unix.Connect(fd, far))
	for full := false; err == nil && !full; {
		if err = fill(fd); err == nil {
			full, err = stays(fd)
		}
	}
	if err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("filling a socket: %w", err)
	}
	return fd, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 600})
}

// fill writes into a socket until it takes no more.
func fill(fd int) error {
	for text := make([]byte, 64<<10); ; {
		if _, err := unix.SendmsgN(fd, text, nil, nil, unix.MSG_DONTWAIT); errors.Is(err, unix.EAGAIN) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// stays reports whether a socket is full also when its other end has what was on its way.
func stays(fd int) (bool, error) {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, 20)
	if errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return n == 0, err
}
