package store

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// inTheWay is the error about a file of somebody else that has a name of ours.
func inTheWay(path string) error {
	return fmt.Errorf("%w: %s is in the way, and not of this program: move it away, or name another database file", ErrForeign, path)
}

// refuseForeign returns ErrForeign if there is a file of another kind at path. What
// else may be wrong with it can only be told under the lock.
func refuseForeign(path string) error {
	err := look(path, func(f *os.File) error {
		_, err := readHeader(f)
		return err
	})
	if errors.Is(err, ErrForeign) {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// removePart removes what a crash may have left of a file in the making: it has the
// header of a database, or never got one.
func removePart(path string) error {
	return removeOurs(path, func(f *os.File) error {
		_, err := readHeader(f)
		if errors.Is(err, ErrForeign) {
			return wantZeros(f)
		}
		return nil
	})
}

// removeOurs removes a file, if there is one, and check returns no error.
func removeOurs(path string, check func(*os.File) error) error {
	nothing, err := ours(path, check)
	if nothing || err != nil {
		return err
	}
	return os.Remove(path)
}

// ours reports whether there is nothing at path, and returns an error if there is
// something that check does not know.
func ours(path string, check func(*os.File) error) (nothing bool, err error) {
	err = look(path, check)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case errors.Is(err, ErrForeign):
		return false, inTheWay(path)
	}
	return false, err
}

// look opens a file for check, and waits for nobody. ErrForeign is what is no
// regular file.
func look(path string, check func(*os.File) error) error {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW|unix.O_NOCTTY, 0)
	if errors.Is(err, unix.ELOOP) {
		return fmt.Errorf("%w: %w", ErrForeign, err)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: not a regular file", ErrForeign)
	}
	return check(f)
}

// wantZeros returns ErrForeign if anything else is in f, which somebody could
// miss.
func wantZeros(f *os.File) error {
	b := make([]byte, reserveStep)
	for at := int64(0); ; {
		n, err := f.ReadAt(b, at)
		if bytes.Count(b[:n], []byte{0}) != n {
			return ErrForeign
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		at += int64(n)
	}
}
