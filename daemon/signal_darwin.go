package daemon

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// unheeded are the signals that do nothing to a program which has said nothing
// about them.
var unheeded = []syscall.Signal{unix.SIGCHLD, unix.SIGURG, unix.SIGWINCH, unix.SIGIO, unix.SIGINFO}
