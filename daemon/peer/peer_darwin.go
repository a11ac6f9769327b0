package peer

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// handle is the process's id, and the time it started, which no other process of
// that id has.
type handle struct {
	pid     int
	started unix.Timeval
}

func of(fd int) (*Peer, error) {
	// As the other end connected or began to listen.
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return nil, err
	}
	token, err := peerToken(fd)
	if err != nil {
		return nil, err
	}
	if token.pid <= 0 {
		return nil, errors.New("the peer's process is not known")
	}
	if token.euid != cred.Uid {
		return nil, fmt.Errorf("the other end was made by uid %d, and is used by uid %d", cred.Uid, token.euid)
	}
	begun, err := started(int(token.pid))
	if err != nil {
		return nil, err
	}
	// It is the start of that process if it is there still.
	if again, err := peerToken(fd); err != nil || again != token {
		return nil, errors.Join(ErrGone, err)
	}
	return &Peer{PID: int(token.pid), UID: int(cred.Uid), handle: handle{int(token.pid), begun}}, nil
}

// A token is what of the kernel's audit token says which process it is: no two have
// one id and one version.
type token struct {
	euid    uint32
	pid     int32
	version uint32
}

// peerToken asks for the audit token of the process at the other end, which is eight
// numbers. The type that they are received in is the one at hand that has that
// length, and no meaning here.
func peerToken(fd int) (token, error) {
	raw, err := unix.GetsockoptIPv6MTUInfo(fd, unix.SOL_LOCAL, unix.LOCAL_PEERTOKEN)
	if err != nil {
		return token{}, fmt.Errorf("asking for its audit token: %w", err)
	}
	return fromRaw(raw), nil
}

// fromRaw takes out the second, the sixth and the eighth number: audit user,
// effective user and group, real user and group, process, session, version.
func fromRaw(raw *unix.IPv6MTUInfo) token {
	return token{
		euid:    raw.Addr.Flowinfo,
		pid:     int32(binary.NativeEndian.Uint32(raw.Addr.Addr[12:])),
		version: raw.Mtu,
	}
}

// started returns when a process started. One that has ended is [ErrGone].
func started(pid int) (unix.Timeval, error) {
	info, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil || int(info.Proc.P_pid) != pid {
		return unix.Timeval{}, errors.Join(ErrGone, err)
	}
	return info.Proc.P_starttime, nil
}

// Check fails with [ErrGone] once the process has ended, also if another one
// has its id by now.
func (h handle) Check() error {
	if now, err := started(h.pid); err != nil || now != h.started {
		return ErrGone
	}
	return nil
}

// Below reports true: macOS hands orphans to its first process, so that nobody can
// tell any more below whom they were.
func (p *Peer) Below(int) bool { return true }

// Close forgets the process.
func (p *Peer) Close() {}
