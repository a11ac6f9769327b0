package spawn

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// openDir opens a directory, and nothing that leads to one.
const openDir = unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// empty removes all that is in a directory, also what its owner made so that it
// could not be removed. Links are not followed, and no other file system is entered.
// However deep directories are in each other, it takes four descriptors, and no path
// is longer than a name: what is in a directory is moved up before.
func empty(dir string) error {
	top, err := unix.Open(dir, unix.O_RDONLY|openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(top)
	var st unix.Stat_t
	if err := unix.Fstat(top, &st); err != nil {
		return err
	}
	e := emptier{top, st.Dev}
	for {
		n, err := eachName(top, e.remove)
		if n == 0 || err != nil {
			return err
		}
	}
}

// An emptier empties a directory.
type emptier struct {
	top    int
	device uint64
}

// remove removes what has a name at the top, or empties it at least.
func (e emptier) remove(name string) error {
	err := remove(e.top, name)
	if !notEmpty(err) {
		return err
	}
	if err := e.unlock(e.top, name); err != nil {
		return err
	}
	fd, err := unix.Openat(e.top, name, unix.O_RDONLY|openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if _, err := eachName(fd, func(below string) error { return e.lift(fd, below) }); err != nil {
		return err
	}
	if err := remove(e.top, name); !notEmpty(err) {
		return err
	}
	return nil // somebody is filling it, and it has another turn
}

// lift removes what has a name in a directory, or moves it to the top.
func (e emptier) lift(dir int, name string) error {
	err := remove(dir, name)
	if !notEmpty(err) {
		return err
	}
	if err := e.unlock(dir, name); err != nil { // what may not be written to stays where it is
		return err
	}
	return unix.Renameat(dir, name, e.top, rand.Text())
}

// unlock opens a directory to its owner.
func (e emptier) unlock(dir int, name string) error {
	fd, err := unix.Openat(dir, name, unix.O_PATH|openDir, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Dev != e.device {
		return unix.EXDEV
	}
	return unix.Chmod(fmt.Sprintf("/proc/self/fd/%d", fd), 0o700) // fchmod takes none that cannot be read
}

// remove removes a file, or a directory with nothing in it.
func remove(dir int, name string) error {
	err := unix.Unlinkat(dir, name, 0)
	if errors.Is(err, unix.EISDIR) || errors.Is(err, unix.EPERM) {
		err = unix.Unlinkat(dir, name, unix.AT_REMOVEDIR)
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

func notEmpty(err error) bool { return errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) }

// eachName calls do for the names in a directory, and returns how many there were.
func eachName(dir int, do func(string) error) (n int, err error) {
	fd, err := unix.Openat(dir, ".", unix.O_RDONLY|openDir, 0)
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fd), ".")
	defer f.Close()
	for {
		names, err := f.Readdirnames(256)
		for _, name := range names {
			n++
			if err := do(name); err != nil {
				return n, err
			}
		}
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
