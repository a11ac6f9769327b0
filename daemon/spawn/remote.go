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
//	spawner  1 byte, 0 or the errno why there is no monitor, which is 255 if
//	         something of another run is left; the system says with it who has
//	         sent it
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
	answerUnclear  = 255 // no errno is as high
)

// remote starts a monitor by the spawner at a socket.
type remote struct{ sock string }

func (s remote) launch(files []*os.File) (*foster, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.sock, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("reaching the spawner: %w", err)
	}
	spawner, err := order(conn, files)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("having a monitor started: %w", err)
	}
	return &foster{conn: conn, spawner: spawner}, nil
}

// order has a monitor started, and returns who has done so.
func order(conn *net.UnixConn, files []*os.File) (Owner, error) {
	var fds []int
	for _, f := range files {
		if f != nil {
			fds = append(fds, int(f.Fd()))
		}
	}
	conn.SetDeadline(time.Now().Add(startTimeout))
	defer conn.SetDeadline(time.Time{})
	if err := askWho(conn); err != nil {
		return Owner{}, err
	}
	if _, _, err := conn.WriteMsgUnix([]byte{spawnerVersion}, unix.UnixRights(fds...), nil); err != nil {
		return Owner{}, err
	}
	answer, oob := make([]byte, 1), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(answer, oob)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Owner{}, err
	}
	if answer[0] != 0 && answer[0] != answerUnclear {
		return Owner{}, syscall.Errno(answer[0])
	}
	o, err := who(oob[:oobn])
	if err == nil && answer[0] == answerUnclear {
		err = &UnclearError{o.UID}
	}
	return o, err
}

// An UnclearError means that a user that programs can be has something left of
// another run, so that it is nobody until that is gone.
type UnclearError struct{ UID int }

func (e *UnclearError) Error() string {
	return fmt.Sprintf("the home directory of uid %d cannot be cleared of what another run left", e.UID)
}

// A foster is a monitor that is a child of the spawner.
type foster struct {
	conn    *net.UnixConn
	spawner Owner
	gone    func() // is called when nothing is left; nil for nobody
}

// owner returns the spawner: all that is below it is of this run.
func (f *foster) owner() Owner { return f.spawner }

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
	if f.gone != nil {
		f.gone()
	}
}
