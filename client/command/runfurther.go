package command

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// takeFurther adds the descriptors that whoever started this process had it inherit,
// beyond the standard streams, to a request that has all its others.
func (r *runRequest) takeFurther() {
	r.further = inherited()
	if n := slices.IndexFunc(r.further, func(fd int) bool { return fd > ipc.MaxDescriptor }); n >= 0 {
		r.further, r.left = r.further[:n], r.further[n:]
	}
	if n := ipc.MaxFurther; len(r.further) > n {
		r.further, r.left = r.further[:n], slices.Concat(r.further[n:], r.left)
	}
	for _, fd := range r.further {
		r.request.FDs = append(r.request.FDs, ipc.FileFurther(fd))
		r.request.V = ipc.VersionFurther
	}
}

// sentFurther closes them: whoever reads what the command writes there waits for nobody
// but the command.
func (r *runRequest) sentFurther() {
	for _, fd := range r.further {
		unix.Close(fd)
	}
	r.further = nil
}

// inherited returns the descriptors above 2 that this process did not open itself,
// sorted: its own are closed when it executes something.
func inherited() (fds []int) {
	entries, _ := os.ReadDir(ownDescriptors)
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || fd < 3 {
			continue
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, fd)
		}
	}
	slices.Sort(fds)
	return fds
}

// warnLeft says which descriptors the command does not get because there are too many.
func (f runFlags) warnLeft(cmd *cli.Command, left []int) {
	if len(left) > 0 {
		f.warn(cmd, "warning: the command runs without the descriptors "+numbers(left)+": it gets no more than "+strconv.Itoa(ipc.MaxFurther)+", and none above "+strconv.Itoa(ipc.MaxDescriptor))
	}
}

// tellWithheld says which descriptors the command does not get, and why.
func tellWithheld(cmd *cli.Command, m ipc.Response) {
	say(cmd, "cortex: warning: the command runs without the descriptors %s: %s", numbers(m.Withheld), printable(m.Why))
	if m.Hint != "" {
		say(cmd, "cortex: hint: %s", printable(m.Hint))
	}
}

// tellPiped says which descriptors are not for the command what they are for the caller.
func tellPiped(cmd *cli.Command, m ipc.Response) {
	say(cmd, "cortex: warning: the command has pipes in place of the files on the descriptors %s, as what it prints is masked: it cannot lock them or seek in them", numbers(m.Piped))
	if m.Hint != "" {
		say(cmd, "cortex: hint: %s", printable(m.Hint))
	}
}

// numbers lists numbers.
func numbers(list []int) string {
	texts := make([]string, len(list))
	for i, n := range list {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, ", ")
}
