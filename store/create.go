package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// fileMode is the mode of the file and the lock file, whatever the umask.
const fileMode = 0o600

// create makes a new database at path if there is nothing. The file is made
// under another name and appears complete. The caller holds the lock.
func create(path string) (created bool, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	part := path + ".new"
	if err := removePart(part); err != nil {
		return false, err
	}
	if err := build(part); err != nil {
		os.Remove(part)
		return false, fmt.Errorf("creating %s: %w", path, full(err))
	}
	if err := os.Rename(part, path); err != nil {
		return false, err
	}
	return true, syncDir(filepath.Dir(path))
}

// build writes an empty database to a new file.
func build(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return err
	}
	if err := f.Chmod(fileMode); err != nil { // a umask may have taken our own bits
		return errors.Join(err, f.Close())
	}
	engine, err := bolt.Open(path, fileMode, &bolt.Options{
		Timeout:  time.Millisecond,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return err
	}
	return errors.Join(engine.Update(writeSchema), engine.Close())
}

// Appear gives a finished file the name that a database is to have, durably. It
// fails where there is something of that name. The old name stays.
func Appear(part, path string) error {
	if err := os.Link(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// full adds ErrFull to an error that says there is no room.
func full(err error) error {
	if noRoom(err) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// syncDir makes a new name in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
