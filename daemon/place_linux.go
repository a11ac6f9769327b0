package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// placeOf returns where a file would be whose path from a directory is given. It says
// what the system does, also where we may not go.
func placeOf(dir *os.File, path string) (string, error) {
	at, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(int(dir.Fd())))
	if err != nil {
		return "", err
	}
	var st unix.Stat_t
	if unix.Fstat(int(dir.Fd()), &st) != nil || st.Nlink == 0 || !filepath.IsAbs(at) {
		return "", errors.New("this directory is nowhere any more, so that there can be no file in it")
	}
	return filepath.Join(at, path), nil
}
