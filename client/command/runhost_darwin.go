package command

import (
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// getTermios asks a terminal for its modes.
const getTermios = unix.TIOCGETA

// ownDescriptors lists the descriptors of this process.
const ownDescriptors = "/dev/fd"

// openDir opens the working directory.
func openDir() (*os.File, error) { return os.Open(".") }

// share has nothing to do: here commands are the caller's own.
func share([]int) {}

// limits returns this process's resource limits, except that of open files,
// which the Go runtime has changed before anybody can ask.
func limits() []ipc.Limit {
	var list []ipc.Limit
	for resource := unix.RLIMIT_CPU; resource < unix.RLIMIT_NOFILE; resource++ {
		var l unix.Rlimit
		if unix.Getrlimit(resource, &l) == nil {
			list = append(list, ipc.Limit{Resource: resource, Soft: l.Cur, Hard: l.Max})
		}
	}
	return list
}

// dispositions returns the signals that whoever started this process had it ignore,
// as nohup and shells do: those two of them that the runtime lets be seen.
func dispositions() (ignored, blocked []syscall.Signal) {
	for _, s := range []syscall.Signal{unix.SIGHUP, unix.SIGINT} {
		if signal.Ignored(s) {
			ignored = append(ignored, s)
		}
	}
	return ignored, nil
}

// schedule returns this process's nice value, and nothing else.
func schedule() *ipc.Schedule {
	nice, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return nil
	}
	return &ipc.Schedule{Nice: nice}
}

// drain waits until this process may use the terminal, and until everything is
// on it. It fails in a background that nobody can leave.
func drain(tty int) error {
	for {
		if err := unix.IoctlSetInt(tty, unix.TIOCDRAIN, 0); err != unix.EINTR {
			return err
		}
	}
}
