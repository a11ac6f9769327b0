package spawn

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// executable is this very program, also after its file was replaced.
func executable() string { return "/proc/self/exe" }

// monitorAttr gives a monitor a session of its own, out of reach of the
// terminal the daemon may have. One that its program has stopped goes on when
// the daemon is killed, and finds that nobody is at the other end any more. (It
// is told also when the thread that forked it ends, which does no harm.)
func monitorAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: unix.SIGCONT}
}

// childAttr gives the program a process group, and ends it if the monitor is
// killed.
func childAttr() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: unix.SIGKILL}
}

// protectMonitor hides the monitor's memory from others of its user, and makes
// it the parent of all orphans below it. Programs gain no privileges: what
// they could gain could not be killed. The thread that forks has that setting,
// and it is inherited. It returns what could not be had.
func protectMonitor() bare {
	return lacks(adopting, unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) | protectChild()
}

// protectChild hides the child's memory while it holds the secrets. It returns what
// could not be had.
func protectChild() bare {
	return lacks(hidden, unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)) |
		lacks(unprivileged, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
}

// killGroup has nothing to do: what is left comes to the monitor.
func killGroup(int) {}

// below returns the monitor's children.
func (w *watch) below() []int { return children() }

// children returns the children of this process.
func children() []int {
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	if len(lists) == 0 {
		return childrenByParent()
	}
	var pids []int
	for _, list := range lists {
		text, err := os.ReadFile(list)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// childrenByParent asks every process for its parent, for kernels that do not
// list children.
func childrenByParent() []int {
	var pids []int
	self := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		fields := statFields(stat)
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err == nil && len(fields) > 1 && fields[1] == self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// killSession kills the processes of a session until there are none. It does
// what a monitor that was killed cannot do any more, as far as that can be seen
// from outside: not to what has left the session.
func killSession(session int) {
	for range 1000 { // each kills a generation
		if !killOnce(session) {
			return
		}
	}
}

// killOnce reports whether it found any that lived.
func killOnce(session int) (found bool) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil || pid == session || !livesIn(stat, session) {
			continue
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		// The descriptor is this process's, whoever has its id next.
		if livesIn(stat, session) && unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil {
			found = true
		}
		unix.Close(fd)
	}
	return found
}

// livesIn reports whether a process belongs to a session and has not ended:
// fields 3 and 6 of proc_pid_stat(5).
func livesIn(stat string, session int) bool {
	fields := statFields(stat)
	return len(fields) > 3 && fields[0] != "Z" && fields[0] != "X" && fields[3] == strconv.Itoa(session)
}

// statFields returns what stands behind the process's name, which is in
// parentheses and may hold anything: the state first.
func statFields(stat string) []string {
	text, err := os.ReadFile(stat)
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// block makes these the thread's signal mask, which programs inherit.
func (set Signals) block() {
	var mask unix.Sigset_t
	mask.Val[0] = uint64(set)
	unix.PthreadSigmask(unix.SIG_SETMASK, &mask, nil)
}

// closeStrays keeps everything but the three streams from the program.
func closeStrays() {
	if unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	entries, _ := os.ReadDir("/proc/self/fd") // before Linux 5.11
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// widen lets a pipe hold more, so that its ends need not take turns so often.
func widen(pipe int) { unix.FcntlInt(uintptr(pipe), unix.F_SETPIPE_SZ, 512<<10) }

// pathOnly is what a descriptor has that is neither for reading nor for writing.
const pathOnly = unix.O_PATH

// sameTerminal reports whether two descriptors are of one terminal, one of which may have
// been opened as /dev/tty.
func sameTerminal(a, b int) bool {
	one, err := unix.IoctlGetUint32(a, unix.TIOCGDEV)
	other, errOther := unix.IoctlGetUint32(b, unix.TIOCGDEV)
	return err == nil && errOther == nil && one == other
}

func dup(from, to int) error { return unix.Dup3(from, to, 0) }

// limit sets a resource limit, as far as the daemon's own allows.
func limit(l ipc.Limit) error {
	var own unix.Rlimit
	if err := unix.Getrlimit(l.Resource, &own); err != nil {
		return err
	}
	hard := min(l.Hard, own.Max)
	err := unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: min(l.Soft, hard), Max: hard})
	if errors.Is(err, unix.EINVAL) {
		return nil // a resource this system has no such limit for
	}
	return err
}
