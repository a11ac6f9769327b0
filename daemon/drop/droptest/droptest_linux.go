// Package droptest makes what is hard to get rid of.
package droptest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Send sends a text with a descriptor. The flags are those of sendmsg(2).
func Send(on *net.UnixConn, text string, f *os.File, flags int) error {
	raw, err := on.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.Sendmsg(int(fd), []byte(text), unix.UnixRights(int(f.Fd())), nil, flags)
	})
	return errors.Join(err, failed)
}

// Lingering returns a socket that is not closed for an hour by whoever closes it last: it
// lingers, and its other end, which there is until this process ends, does not read what
// was sent on it.
func Lingering() (*os.File, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return nil, err
	}
	other, err := l.Accept()
	if err != nil {
		return nil, err
	}
	ends = append(ends, other)
	l.Close()
	conn := c.(*net.TCPConn)
	for chunk := make([]byte, 1<<20); err == nil; {
		conn.SetWriteDeadline(time.Now().Add(20 * time.Millisecond)) // it waits until it is full
		_, err = conn.Write(chunk)
	}
	f, err := conn.File()
	if err != nil {
		return nil, err
	}
	conn.Close()
	if left, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCOUTQ); err != nil || left == 0 {
		return nil, fmt.Errorf("nothing is left to send: %w", err)
	}
	return f, unix.SetsockoptLinger(int(f.Fd()), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1, Linger: 3600})
}

var ends []net.Conn // which are not to be collected
