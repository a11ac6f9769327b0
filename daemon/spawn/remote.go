package spawn

import (
	"errors"
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
//	daemon   1 byte, the version, with the monitor's three sockets
//	spawner  1 byte, 0 or the errno why there is no monitor, which is 255 if
//	         something of another run is left; the system says with it who has
//	         sent it. With 0 come both ends of the program's terminal, which
//	         so is its user's, if there can be one
//	daemon   1 byte for each order: wake, or kill
//	daemon   hangs up its half: nothing may be left
//	spawner  hangs up when nothing is left
//
// There is no room for anything else: neither for a program nor for a user, and
// secrets go to the monitor and its child past the spawner.
const (
	spawnerVersion = 2
	spawnerSockets = 3
	orderWake      = 'W'
	orderKill      = 'K'
	answerUnclear  = 255 // no errno is as high
)

// remote starts a monitor by the spawner at a socket.
type remote struct{ sock string }

func (s remote) launch(files []*os.File) (*foster, tty, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.sock, Net: "unix"})
	if err != nil {
		return nil, tty{}, fmt.Errorf("reaching the spawner: %w", err)
	}
	spawner, t, err := order(conn, files)
	if err != nil {
		conn.Close()
		return nil, tty{}, fmt.Errorf("having a monitor started: %w", err)
	}
	return &foster{conn: conn, spawner: spawner}, t, nil
}

// order has a monitor started, and returns who has done so, and the program's terminal.
func order(conn *net.UnixConn, files []*os.File) (Owner, tty, error) {
	var fds []int
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	conn.SetDeadline(time.Now().Add(startTimeout))
	defer conn.SetDeadline(time.Time{})
	if err := askWho(conn); err != nil {
		return Owner{}, tty{}, err
	}
	if _, _, err := conn.WriteMsgUnix([]byte{spawnerVersion}, unix.UnixRights(fds...), nil); err != nil {
		return Owner{}, tty{}, err
	}
	answer, oob := make([]byte, 1), make([]byte, 256)
	n, oobn, _, _, err := conn.ReadMsgUnix(answer, oob)
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return Owner{}, tty{}, err
	}
	o, t, err := answered(answer[0], oob[:oobn])
	if err != nil {
		t.close()
		return Owner{}, tty{}, err
	}
	return o, t, nil
}

// answered reads a spawner's answer, and what came with it.
func answered(code byte, oob []byte) (o Owner, t tty, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return o, t, err
	}
	t = passedTTY(messages)
	if code != 0 && code != answerUnclear {
		return o, t, syscall.Errno(code)
	}
	if o, err = who(messages); err == nil && code == answerUnclear {
		err = &UnclearError{o.UID}
	}
	return o, t, err
}

// An UnclearError means that a user that programs can be has something left of
// another run, so that it is nobody until that is gone.
type UnclearError struct{ UID int }

func (e *UnclearError) Error() string {
	return fmt.Sprintf("the home directory of uid %d cannot be cleared of what another run left", e.UID)
}

// A SilentError means that a program was to be killed by a spawner that does not
// answer, so that it may still run.
type SilentError struct{ UID int }

func (e *SilentError) Error() string {
	return fmt.Sprintf("the program may still run, as uid %d: its spawner does not answer", e.UID)
}

// A foster is a monitor that is a child of the spawner.
type foster struct {
	conn    *net.UnixConn
	spawner Owner
	gone    func() // is called when nothing is left; nil for nobody
}

// owner returns the spawner: all that is below it is of this run.
func (f *foster) owner() Owner { return f.spawner }

func (f *foster) wake() { f.send(orderWake) }
func (f *foster) kill() { f.send(orderKill) }

// What cannot be sent is for a spawner that has ended, and its children with it, or
// for one that its program has stopped.
func (f *foster) send(order byte) {
	f.conn.SetWriteDeadline(time.Now().Add(sendTimeout))
	f.conn.Write([]byte{order})
}

// sendTimeout is how long a spawner may leave orders unread, of which hundreds fit
// between it and the daemon.
const sendTimeout = time.Second

func (f *foster) sweep() error {
	f.conn.CloseWrite()
	if _, err := io.Copy(io.Discard, f.conn); errors.Is(err, os.ErrDeadlineExceeded) {
		return &SilentError{f.spawner.UID}
	}
	return nil
}

// giveUp has sweep wait no more.
func (f *foster) giveUp() { f.conn.SetReadDeadline(time.Unix(1, 0)) }

// wait does not give up: whoever the program was is nobody else before.
func (f *foster) wait() {
	for f.sweep() != nil {
		f.conn.SetReadDeadline(time.Time{})
	}
	f.conn.Close()
	if f.gone != nil {
		f.gone()
	}
}
