package peer

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// handle is the peer's pidfd, or where the kernel has none (before 6.5) the
// time it started, which no other process of that id has.
type handle struct {
	pidfd   int // -1 without
	started string
	pid     int
}

func of(fd int) (*Peer, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return nil, err
	}
	if cred.Pid <= 0 {
		return nil, errors.New("the peer's process is not visible from here")
	}
	p := &Peer{PID: int(cred.Pid), UID: int(cred.Uid), handle: handle{pidfd: -1, pid: int(cred.Pid)}}
	if pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD); err == nil {
		p.pidfd = pidfd
		return p, nil
	}
	if p.started, err = started(p.PID); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	return p, nil
}

// Check fails with [ErrGone] once the process has ended, also if another one
// has its id by now.
func (h handle) Check() error {
	if h.pidfd < 0 {
		now, err := started(h.pid)
		if err != nil || now != h.started {
			return ErrGone
		}
		return nil
	}
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(h.pidfd), Events: unix.POLLIN}}, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return fmt.Errorf("watching the peer: %w", err)
		case n > 0:
			return ErrGone
		}
		return nil
	}
}

// Dir opens the process's directory in /proc. What is opened through it
// belongs to this process or fails.
func (p *Peer) Dir() (*os.File, error) {
	dir, err := os.OpenFile("/proc/"+strconv.Itoa(p.PID), os.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrGone, err)
	}
	// The directory is this process's for good if it lives now.
	if err := p.Check(); err != nil {
		dir.Close()
		return nil, err
	}
	return dir, nil
}

// Below reports whether the process descends from another one, as long as both
// live. What is orphaned meanwhile goes to an ancestor, and is found there.
func (p *Peer) Below(ancestor int) bool {
	for range 100 { // a process on the way that ends is no reason to give up
		switch pid, ok := climb(p.PID, ancestor); {
		case ok && pid == ancestor:
			return p.Check() == nil // else another process has its id
		case ok:
			return false
		case p.Check() != nil:
			return false
		}
	}
	return false
}

// climb goes from a process to its parents until it comes to an ancestor, or to the
// first of all. It is not ok when one of them has ended.
func climb(pid, ancestor int) (at int, ok bool) {
	for pid > 1 {
		fields, err := stat(pid)
		if err != nil {
			return pid, false
		}
		if pid, err = strconv.Atoi(string(fields[1])); err != nil || pid == ancestor {
			return pid, err == nil
		}
	}
	return pid, true
}

// Close forgets the process.
func (p *Peer) Close() {
	if p.pidfd >= 0 {
		unix.Close(p.pidfd)
		p.pidfd = -1
	}
}

// started returns a process's start time in ticks since boot: field 22 of
// proc_pid_stat(5).
func started(pid int) (string, error) {
	fields, err := stat(pid)
	if err != nil {
		return "", err
	}
	return string(fields[19]), nil
}

// stat returns the fields of proc_pid_stat(5) from the third on. The second may hold
// blanks and parentheses.
func stat(pid int) ([][]byte, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return nil, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return nil, errors.New("a process without a start time")
	}
	return fields, nil
}
