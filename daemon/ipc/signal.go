package ipc

import (
	"syscall"
)

// A Signal is sent by a launcher while its program runs.
type Signal struct {
	Signal syscall.Signal `json:"signal"`
	// Foreground, with SIGCONT and SIGWINCH, lets the program read from its
	// terminal: the launcher passes on what is typed.
	Foreground bool `json:"foreground,omitempty"`
}

// MaxSignal is the highest number of a signal.
const MaxSignal = 64

// Forwarded reports whether a launcher passes a signal on. Not SIGKILL and SIGSTOP,
// which nobody can catch; SIGCHLD, SIGURG and SIGPROF, which its own runtime uses;
// SIGTTIN and SIGTTOU, by which the terminal stops it; nor those that tell of its
// own faults. A launcher does not get to see all that are: on Linux the runtime
// keeps 32 to 34, which do to it what they do to any program.
func Forwarded(s syscall.Signal) bool {
	switch s {
	case syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGCHLD, syscall.SIGURG, syscall.SIGPROF, syscall.SIGTTIN, syscall.SIGTTOU,
		syscall.SIGILL, syscall.SIGTRAP, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGSEGV, syscall.SIGSYS:
		return false
	}
	return s > 0 && s <= MaxSignal
}
