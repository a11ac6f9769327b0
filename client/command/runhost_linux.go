package command

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// openDir opens the working directory, also one that may not be read.
func openDir() (*os.File, error) {
	fd, err := unix.Open(".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "."), nil
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

// drain waits until this process may use the terminal, and until everything is
// on it. It fails in a background that nobody can leave.
func drain(tty int) error {
	for {
		if err := unix.IoctlSetInt(tty, unix.TCSBRK, 1); err != unix.EINTR {
			return err
		}
	}
}
