package spawn

import (
	"slices"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// schedule gives this thread, and with it the program that it becomes, a schedule, as
// far as that is no better than the one it has. What cannot be had is left as it is.
func schedule(s ipc.Schedule) {
	setPolicy(s)
	setIO(s.IO)
	setCPUs(s.CPUs)
}

// policies are those of sched(7) that a program can be given, the best first. One that
// is not among them is better than all, and is not given.
var policies = []uint32{unix.SCHED_NORMAL, unix.SCHED_BATCH, unix.SCHED_IDLE}

func setPolicy(s ipc.Schedule) {
	own, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		return
	}
	rank := max(slices.Index(policies, own.Policy), slices.Index(policies, uint32(s.Policy)))
	if rank < 0 {
		return
	}
	want := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: policies[rank], Nice: max(int32(s.Nice), own.Nice)}
	if want.Policy != own.Policy {
		unix.SchedSetAttr(0, &want, 0)
	}
	if want.Nice != own.Nice { // SCHED_IDLE has none of its own
		unix.Setpriority(unix.PRIO_PROCESS, 0, int(want.Nice))
	}
}

// The classes of priorities of I/O in ioprio_get(2), and where they stand in one.
const (
	ioBest  = 2 // of those that nobody needs a privilege for
	ioIdle  = 3
	ioClass = 13
	ioLevel = 1<<3 - 1
)

// setIO sets the priority of what is read from disks and written to them.
func setIO(want int) {
	own, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, 0, 0) // 1: of a process
	if errno != 0 {
		return
	}
	class, level := want>>ioClass, want&ioLevel
	ownClass, ownLevel := int(own)>>ioClass, int(own)&ioLevel
	if ownClass == 0 {
		ownClass, ownLevel = ioBest, ownIOLevel()
	}
	if class == ioIdle && ownClass != ioIdle || class == ioBest && (ownClass < ioBest || ownClass == ioBest && level > ownLevel) {
		unix.Syscall(unix.SYS_IOPRIO_SET, 1, 0, uintptr(class<<ioClass|level))
	}
}

// ownIOLevel is what a process has that has asked for none.
func ownIOLevel() int {
	prio, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // 20 and less the nice value
	if err != nil {
		return 0
	}
	return (20 - prio + 20) / 5
}

// setCPUs keeps to those processors of these that there are for this thread; if it has
// none of them, to its own.
func setCPUs(words []uint64) {
	var own unix.CPUSet
	if len(words) == 0 || unix.SchedGetaffinity(0, &own) != nil {
		return
	}
	var want unix.CPUSet
	for n := range len(words) * 64 {
		if words[n/64]&(1<<(n%64)) != 0 && own.IsSet(n) {
			want.Set(n)
		}
	}
	if want != own && want.Count() > 0 {
		unix.SchedSetaffinity(0, &want)
	}
}
