package command

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// getTermios asks a terminal for its modes.
const getTermios = unix.TCGETS

// ownDescriptors lists the descriptors of this process.
const ownDescriptors = "/proc/self/fd"

// openDir opens the working directory, also one that may not be read.
func openDir() (*os.File, error) {
	fd, err := unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "."), nil
}

// share lets other users open again, as /dev/stdin and the like, those of the descriptors that are
// pipes: each in its own direction, and only those who have it, as a pipe without a name is found
// nowhere but below a process's /proc.
func share(fds []int) {
	for _, fd := range fds {
		var fs unix.Statfs_t
		var st unix.Stat_t
		if unix.Fstatfs(fd, &fs) != nil || fs.Type != unix.PIPEFS_MAGIC || unix.Fstat(fd, &st) != nil {
			continue
		}
		open := uint32(0o004)
		if mode, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || mode&unix.O_ACCMODE != unix.O_RDONLY {
			open = 0o002
		}
		unix.Fchmod(fd, st.Mode&0o777|open) // who does not own it cannot help it
	}
}

// limits returns this process's resource limits.
func limits() []ipc.Limit {
	var list []ipc.Limit
	for resource := unix.RLIMIT_CPU; resource <= unix.RLIMIT_RTTIME; resource++ {
		var l unix.Rlimit
		if unix.Getrlimit(resource, &l) != nil {
			continue
		}
		if resource == unix.RLIMIT_NOFILE && !files(&l) {
			continue
		}
		list = append(list, ipc.Limit{Resource: resource, Soft: l.Cur, Hard: l.Max})
	}
	return list
}

// files puts back the limit of open files. The Go runtime has raised the soft
// one by the time anybody can ask, to one below the hard one; the parent's,
// where the hard ones agree, is what it was.
func files(l *unix.Rlimit) bool {
	if l.Cur != l.Max-1 {
		return true
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", os.Getppid()))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "Max open files")
		if !ok {
			continue
		}
		fields := strings.Fields(rest)
		if len(fields) < 2 {
			return false
		}
		soft, errSoft := strconv.ParseUint(fields[0], 10, 64)
		hard, errHard := strconv.ParseUint(fields[1], 10, 64)
		if errSoft != nil || errHard != nil || hard != l.Max {
			return false
		}
		l.Cur = soft
		return true
	}
	return false
}

// dispositions returns the signals that whoever started this process had it ignore,
// as nohup and shells do, and those that it had wait. Of those to be ignored the
// runtime lets only SIGHUP, SIGINT and job control's be seen: it has handlers for the
// others by now.
func dispositions() (ignored, blocked []syscall.Signal) {
	// This thread's mask: the first one's is another while it starts a third.
	var mask unix.Sigset_t
	if unix.PthreadSigmask(unix.SIG_BLOCK, nil, &mask) == nil {
		blocked = signals(mask.Val[0])
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, blocked
	}
	_, rest, _ := bytes.Cut(status, []byte("\nSigIgn:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	set, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 64)
	if err != nil {
		return nil, blocked
	}
	return signals(set), blocked
}

// signals returns the signals of a set that has a bit for each, the lowest for 1.
func signals(set uint64) (list []syscall.Signal) {
	for s := syscall.Signal(1); s <= ipc.MaxSignal; s++ {
		if set&(1<<(s-1)) != 0 {
			list = append(list, s)
		}
	}
	return list
}

// schedule returns how this process gets processors and disks.
func schedule() *ipc.Schedule {
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return nil
	}
	s := &ipc.Schedule{Nice: int(attr.Nice), Policy: int(attr.Policy)}
	if io, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, 0, 0); errno == 0 { // 1: of a process
		s.IO = int(io)
	}
	var cpus unix.CPUSet
	if unix.SchedGetaffinity(0, &cpus) == nil {
		for n := range 64 * ipc.MaxCPUs {
			if cpus.IsSet(n) {
				s.CPUs = append(s.CPUs, make([]uint64, n/64+1-len(s.CPUs))...)
				s.CPUs[n/64] |= 1 << (n % 64)
			}
		}
	}
	return s
}

// drain waits until this process may use the terminal, and until everything is
// on it. It fails in a background that nobody can leave.
func drain(tty int) error {
	for {
		if err := unix.IoctlSetInt(tty, unix.TCSBRK, 1); err != unix.EINTR {
			return err
		}
	}
}
