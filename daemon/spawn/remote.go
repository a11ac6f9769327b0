package spawn

import (
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// What travels between a daemon and a spawner, over a connection for each monitor:
//
//	daemon   1 byte, the version, with the monitor's three sockets, and its
//	         terminal if there is one
//	spawner  1 byte, 0 or the errno why there is no monitor
//	daemon   1 byte for each order: wake, or kill
//	daemon   hangs up its half: nothing may be left
//	spawner  hangs up when nothing is left
//
// There is no room for anything else: neither for a program nor for a user, and
// secrets go to the monitor and its child past the spawner.
const (
	spawnerVersion = 1
	spawnerSockets = 3
	orderWake      = 'W'
	orderKill      = 'K'
)

// remote starts monitors by the spawner at a socket.
type remote struct{ sock string }

func (s remote) launch(files []*os.File) (process, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.sock, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reaching the spawner: %w", err)
	}
	if err := order(conn, files); err != nil {
		conn.Close()
		return nil, fmt.Errorf("having a monitor started: %w", err)
	}
	return &foster{conn}, nil
}

func order(conn *net.UnixConn, files []*os.File) error {
	var fds []int
	for _, f := range files {
		if f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	conn.SetDeadline(time.Now().Add(startTimeout))
	defer conn.SetDeadline(time.Time{})
	if _, _, err := conn.WriteMsgUnix([]byte{spawnerVersion}, unix.UnixRights(fds...), nil); err != nil {
		return err
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil {
		return err
	}
	if answer[0] != 0 {
		return syscall.Errno(answer[0])
	}
	return nil
}

// A foster is a monitor that is a child of the spawner.
type foster struct{ conn *net.UnixConn }

// What cannot be sent is for a spawner that has ended, and its children with it.
func (f *foster) wake() { f.conn.Write([]byte{orderWake}) }
func (f *foster) kill() { f.conn.Write([]byte{orderKill}) }

func (f *foster) sweep() {
	f.conn.CloseWrite()
	io.Copy(io.Discard, f.conn)
}

func (f *foster) wait() {
	f.sweep()
	f.conn.Close()
}
