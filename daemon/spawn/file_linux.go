package spawn

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// sealed returns a file that holds a value, from its beginning. It is in memory
// only, and nobody can change it or execute it.
func sealed(value []byte) (*os.File, error) {
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("cortex", flags|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("cortex", flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	f := os.NewFile(uintptr(fd), "a file in memory")
	if err := fill(f, value); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// fill writes a value where the file's offset stays, and seals the file.
func fill(f *os.File, value []byte) error {
	if _, err := f.WriteAt(value, 0); err != nil {
		return err
	}
	if err := f.Chmod(0o400); err != nil {
		return err
	}
	_, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	return os.NewSyscallError("sealing", err)
}
