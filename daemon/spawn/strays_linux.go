package spawn

import (
	"os/exec"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// killTimeout is how long a monitor may take to kill what it watches over, before it is
// killed as well and the rest is done here. It takes a millisecond, unless its program
// keeps it from that: it can stop it.
const killTimeout = 500 * time.Millisecond

// strays are the children of this process that are no monitors: what programs
// left behind whose monitors were killed. A nil strays knows of none.
type strays struct {
	mu       sync.Mutex // guards what follows, and is held while a monitor is started
	monitors map[int]bool
	stuck    map[int]bool // killed, and still there
}

// newStrays makes this process the parent of orphans below it.
func newStrays() *strays {
	if unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != nil {
		return nil // before Linux 3.4
	}
	return &strays{monitors: map[int]bool{}, stuck: map[int]bool{}}
}

// start starts a monitor.
func (s *strays) start(cmd *exec.Cmd) error {
	if s == nil {
		return cmd.Start()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	err := cmd.Start()
	if err == nil {
		s.monitors[cmd.Process.Pid] = true
	}
	return err
}

// ended forgets a monitor that was collected.
func (s *strays) ended(cmd *exec.Cmd) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.monitors, cmd.Process.Pid)
}

// kill kills strays, and what becomes one by that, until there are none.
func (s *strays) kill() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for pid := range s.stuck {
		if got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil); got == pid || err == unix.ECHILD {
			delete(s.stuck, pid)
		}
	}
	for range 1000 { // each kills a generation
		if !s.killOnce() {
			return
		}
	}
}

// killOnce reports whether there were any. A child keeps its id until it is
// collected, so no id can be another's.
func (s *strays) killOnce() (found bool) {
	for _, pid := range children() {
		if s.monitors[pid] || s.stuck[pid] {
			continue
		}
		found = true
		unix.Kill(pid, unix.SIGKILL)
		if !collect(pid) {
			s.stuck[pid] = true
		}
	}
	return found
}

// stuckTimeout is how long a killed process may take to end: one that waits for
// a disk that does not answer takes as long as that.
const stuckTimeout = time.Second

// collect waits for the end of a child that was killed, and reports whether it
// came.
func collect(pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil {
		defer unix.Close(fd)
		for until := time.Now().Add(stuckTimeout); ; {
			left := int(time.Until(until).Milliseconds())
			if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, max(0, left)); err != unix.EINTR || left <= 0 {
				break
			}
		}
	}
	got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
	return got == pid || err == unix.ECHILD
}
