package drop

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// ErrDescriptors is about descriptors where none are expected.
var ErrDescriptors = errors.New("descriptors came, and none are expected")

// A Reader reads a connection that a user is at the other end of, and never waits for what
// that closes. What it reads has no descriptors: Read returns [ErrDescriptors] and
// drops them.
type Reader struct {
	Conn *net.UnixConn
	Bin  *Bin
	UID  int
}

// Read reads up to len(b) bytes, as [net.UnixConn.Read] does.
func (r Reader) Read(b []byte) (int, error) {
	n, fds, err := r.Receive(b)
	if len(fds) > 0 {
		r.Bin.Descriptors(r.UID, fds)
		return 0, ErrDescriptors
	}
	return n, err
}

// maxRights is the most descriptors that come with anything: SCM_MAX_FD of Linux.
const maxRights = 253

// Receive reads up to len(b) bytes, and returns the descriptors that came with them, also
// with an error. They are closed when a program is executed.
func (r Reader) Receive(b []byte) (n int, fds []int, err error) {
	raw, err := r.Conn.SyscallConn()
	if err != nil {
		return 0, nil, err
	}
	oob := make([]byte, unix.CmsgSpace(4*maxRights))
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		hastily(func() { n, fds, failed = receive(int(fd), b, oob) })
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err = cmp.Or(err, failed); err == nil && n == 0 && len(b) > 0 {
		err = io.EOF
	}
	return n, fds, err
}

// rights returns the descriptors in a message's control data.
func rights(oob []byte) (fds []int, err error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("descriptors: %w", err)
	}
	for _, m := range messages {
		if some, err := unix.ParseUnixRights(&m); err == nil { // else it is something else
			fds = append(fds, some...)
		}
	}
	return fds, nil
}
