package spawn

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
)

// errHome is the error about a home directory from which a program could read what
// nobody looked at.
var errHome = errors.New("its home directory is not its user's alone, or not empty")

// emptyHome reports whether a program finds nothing in its home directory: it is this
// user's alone, with no more in it than what [clearHome] leaves, or there is none and
// nobody but root can make one.
func emptyHome(home string) bool {
	var st syscall.Stat_t
	err := syscall.Lstat(home, &st)
	switch {
	case !filepath.IsAbs(home):
		return false
	case errors.Is(err, os.ErrNotExist):
		return roots(filepath.Dir(home))
	case err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o077 != 0:
		return false
	}
	names, err := os.ReadDir(home)
	if err != nil || len(names) > 1 || len(names) == 1 && names[0].Name() != homeTemp {
		return false
	}
	temp, err := os.ReadDir(filepath.Join(home, homeTemp))
	return len(names) == 0 || err == nil && len(temp) == 0
}

// roots reports whether root alone can make anything at a path, where nothing may be yet.
func roots(path string) bool {
	var st syscall.Stat_t
	switch err := syscall.Lstat(path, &st); {
	case errors.Is(err, os.ErrNotExist) && path != "/":
		return roots(filepath.Dir(path))
	case err != nil:
		return false
	}
	return st.Uid == 0 && st.Mode&0o022 == 0 && st.Mode&syscall.S_IFMT == syscall.S_IFDIR
}

// homeTemp is the directory for temporary files in a home directory.
const homeTemp = "tmp"
