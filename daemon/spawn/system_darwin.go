package spawn

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// executable is this program's file.
func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// monitorAttr gives a monitor a session of its own, out of reach of the
// terminal the daemon may have.
func monitorAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }

// childAttr gives the program a process group.
func childAttr() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// protectMonitor closes the monitor to debuggers. It returns what could not be had.
func protectMonitor() bare { return lacks(hidden, unix.PtraceDenyAttach()) }

// protectChild does nothing: the program would inherit it.
func protectChild() bare { return 0 }

// killGroup ends what a program that has ended left in its group. Orphans do
// not come to the monitor on macOS: one that left the group is out of reach.
func killGroup(group int) { unix.Kill(-group, unix.SIGKILL) }

// below kills the program's process group and returns the program.
func (w *watch) below() []int {
	if w.program == 0 {
		return nil
	}
	killGroup(w.program)
	return []int{w.program}
}

// killSession does nothing: macOS does not tell who belongs to a session.
func killSession(int) {}

// block does nothing: the runtime restores the mask it was started with.
func (Signals) block() {}

// closeStrays keeps everything but the three streams from the program.
func closeStrays() {
	for fd := 3; fd < 256; fd++ {
		syscall.CloseOnExec(fd)
	}
}

// widen does nothing: pipes grow by themselves.
func widen(int) {}

// pathOnly is what no descriptor has here.
const pathOnly = 0

// sameTerminal reports whether two descriptors are of terminals: which, only their names
// could tell.
func sameTerminal(a, b int) bool { return term.IsTerminal(a) && term.IsTerminal(b) }

func dup(from, to int) error { return unix.Dup2(from, to) }

// limit sets a resource limit, as far as the daemon's own allows.
func limit(l ipc.Limit) error {
	var own unix.Rlimit
	if err := unix.Getrlimit(l.Resource, &own); err != nil {
		return err
	}
	hard := min(l.Hard, own.Max)
	return unix.Setrlimit(l.Resource, &unix.Rlimit{Cur: min(l.Soft, hard), Max: hard})
}
