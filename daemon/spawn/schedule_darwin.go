package spawn

import (
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// schedule gives this process a nice value, unless it has a higher one: the rest is
// not to be had on macOS.
func schedule(s ipc.Schedule) {
	if own, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil && s.Nice > own {
		unix.Setpriority(unix.PRIO_PROCESS, 0, s.Nice)
	}
}
