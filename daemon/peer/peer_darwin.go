package peer

import (
	"errors"

	"golang.org/x/sys/unix"
)

// handle is the process's id as the kernel still sees it behind the socket.
type handle struct{ pid int }

func of(fd int) (*Peer, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return nil, err
	}
	pid, err := unix.GetsockoptInt(fd, unix.SOL_LOCAL, unix.LOCAL_PEERPID)
	if err != nil {
		return nil, err
	}
	if pid <= 0 {
		return nil, errors.New("the peer's process is not known")
	}
	return &Peer{PID: pid, UID: int(cred.Uid), handle: handle{pid}}, nil
}

// Check fails with [ErrGone] once the process has ended. Another process may
// have its id by then: macOS offers no better.
func (h handle) Check() error {
	if err := unix.Kill(h.pid, 0); errors.Is(err, unix.ESRCH) {
		return ErrGone
	}
	return nil
}

// Below reports true: macOS hands orphans to its first process, so that nobody can
// tell any more below whom they were.
func (p *Peer) Below(int) bool { return true }

// Close forgets the process.
func (p *Peer) Close() {}
