package locked

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// A quiet is a time in which no signal interrupts a thread. Of a signal, which
// the runtime sends itself to preempt goroutines, the kernel writes all
// registers to the thread's signal stack, and there they stay: the round keys
// of AES among them, had it been at work.
type quiet struct{ before unix.Sigset_t }

// begin holds back signals from this thread, and keeps the goroutine on it.
func (q *quiet) begin() {
	runtime.LockOSThread()
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &interruptions, &q.before); err != nil {
		panic("locked: blocking signals: " + err.Error()) // unreachable
	}
}

// end clears the registers and lets signals through again.
func (q *quiet) end() {
	clearRegisters()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &q.before, nil); err != nil {
		panic("locked: admitting signals: " + err.Error()) // unreachable
	}
	runtime.UnlockOSThread()
}

// interruptions are all signals but those that a thread brings on itself, which
// the runtime turns into panics.
var interruptions = unix.Sigset_t{Val: [16]uint64{^(bit(unix.SIGSEGV) | bit(unix.SIGBUS) | bit(unix.SIGFPE) |
	bit(unix.SIGILL) | bit(unix.SIGTRAP) | bit(unix.SIGSYS) | bit(unix.SIGABRT))}}

// bit returns the bit of a signal in a set.
func bit(s unix.Signal) uint64 { return 1 << (s - 1) }
