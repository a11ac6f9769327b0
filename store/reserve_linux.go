package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// allocate takes up n bytes of the disk for a file, from an offset on. What was
// done before an error stays.
func allocate(f *os.File, from, n int64) error {
	for {
		err := unix.Fallocate(int(f.Fd()), 0, from, n)
		switch {
		case err == unix.EINTR:
			continue
		case errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOSYS):
			return writeZeros(f, from, n)
		case err != nil:
			return os.NewSyscallError("fallocate", err)
		}
		return f.Sync()
	}
}
