package spawn

import (
	"os"
	"os/signal"
	"syscall"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// Signals are a set of signals: a bit for each, the lowest for 1.
type Signals uint64

// SignalSet returns the set of these signals.
func SignalSet(list []syscall.Signal) (set Signals) {
	for _, s := range list {
		if s >= 1 && s <= ipc.MaxSignal {
			set |= 1 << (s - 1)
		}
	}
	return set
}

// ignore has this process ignore them, and with it the program that it becomes.
// Those that nobody can ignore, and on Linux 32 to 34, which the runtime keeps, stay
// as they are.
func (set Signals) ignore() {
	for s := syscall.Signal(1); s <= ipc.MaxSignal; s++ {
		if set&(1<<(s-1)) != 0 {
			signal.Ignore(os.Signal(s))
		}
	}
}
