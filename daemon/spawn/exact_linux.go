package spawn

import (
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

func identityIn(st *syscall.Stat_t) (Identity, bool) {
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return Identity{}, false
	}
	return Identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano()}, true
}

// openProgram opens what is to be executed, which need not be readable.
func openProgram(path string) (*os.File, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// programPath is a path of what is open, whatever its own path leads to by now.
func programPath(f *os.File, _ string) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
