package spawn

import (
	"os"
	"syscall"
)

func identityIn(st *syscall.Stat_t) (Identity, bool) {
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return Identity{}, false
	}
	return Identity{uint64(st.Dev), st.Ino, st.Size, st.Mtimespec.Nano(), st.Ctimespec.Nano()}, true
}

// openProgram opens what is to be executed.
func openProgram(path string) (*os.File, error) { return os.Open(path) }

// programPath is the path itself: macOS executes no descriptors. What is there was
// looked at a moment ago.
func programPath(_ *os.File, path string) string { return path }
