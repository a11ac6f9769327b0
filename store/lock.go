package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A lock is the lock file of a database that is open for writing. The lock is
// flock's: it ends with the process, however that ends. The file stays, unless the
// database goes as well.
type lock struct {
	file *os.File
}

func lockPath(path string) string { return path + ".lock" }

// takeLock locks the lock file of the database at path and writes the process
// id into it, or returns an [*InUseError]. On a full disk the id is left out: the lock
// is what counts, and the reserve is there for the rest.
func takeLock(path string) (*lock, error) {
	f, err := os.OpenFile(lockPath(path), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, fmt.Errorf("lock file: %w", err)
	}
	if err := flock(f, unix.LOCK_EX); err != nil {
		return nil, errors.Join(inUse(err, path, f), f.Close())
	}
	if !named(f) {
		// Whoever had it has removed it meanwhile. Others lock another by now.
		f.Close()
		return takeLock(path)
	}
	l := &lock{f}
	if err := l.sign(); err != nil && !noRoom(err) {
		return nil, errors.Join(fmt.Errorf("lock file: %w", err), f.Close())
	}
	return l, nil
}

// named reports whether a file still has the name that it was opened by.
func named(f *os.File) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	now, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(opened, now)
}

// sign writes who holds the lock.
func (l *lock) sign() error {
	if err := l.recognise(); err != nil {
		return err
	}
	if err := l.file.Chmod(fileMode); err != nil {
		return err
	}
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// recognise returns an error for a file that holds something else than what sign
// writes: somebody may need it. A crash may have left it empty, or zeros.
func (l *lock) recognise() error {
	info, err := l.file.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", l.file.Name())
	}
	text, err := io.ReadAll(io.NewSectionReader(l.file, 0, 32))
	if err != nil {
		return err
	}
	pid := strings.TrimSuffix(strings.Trim(string(text), "\x00"), "\n")
	if strings.Trim(pid, "0123456789") != "" || info.Size() > 20 {
		return inTheWay(l.file.Name())
	}
	return nil
}

// release ends the lock.
func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}

// lockData locks the database file itself, as the engine does: readers share
// it.
func lockData(f *os.File, path string, readOnly bool) error {
	if !readOnly {
		return inUse(flock(f, unix.LOCK_EX), path, nil)
	}
	err := flock(f, unix.LOCK_SH)
	if err == nil {
		return nil
	}
	l, openErr := os.OpenFile(lockPath(path), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if openErr != nil {
		return inUse(err, path, nil)
	}
	defer l.Close()
	return inUse(err, path, l)
}

// flock locks f, or fails at once.
func flock(f *os.File, how int) error {
	for {
		if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != unix.EINTR {
			return err
		}
	}
}

// inUse turns the error of flock into an InUseError, with the pid that stands in
// the lock file, if there is one.
func inUse(err error, path string, lockFile *os.File) error {
	switch {
	case err == nil:
		return nil
	case err != unix.EWOULDBLOCK:
		return fmt.Errorf("locking %s: %w", path, err)
	case lockFile == nil:
		return &InUseError{Path: path}
	}
	text, err := io.ReadAll(io.NewSectionReader(lockFile, 0, 32))
	if err != nil {
		return &InUseError{Path: path}
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid < 0 {
		pid = 0
	}
	return &InUseError{PID: pid, Path: path}
}
