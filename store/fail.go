package store

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// exitFailed is the exit status of a process that could not write its data:
// EX_SOFTWARE of sysexits.h.
const exitFailed = 70

// A failure is why a DB does nothing any more.
type failure struct{ err error }

// failure returns the error of a failed DB, nil for a good one.
func (db *DB) failure() error {
	if f := db.broken.Load(); f != nil {
		return f.err
	}
	return nil
}

// fail makes the DB fail for good, and returns why.
func (db *DB) fail(err error) error {
	err = fmt.Errorf("%w: %w", ErrFailed, err)
	db.broken.Store(&failure{err})
	if db.fatal == nil {
		db.log.Error("cannot write the database", "path", db.path, "err", err)
		os.Exit(exitFailed)
	}
	db.fatal(err)
	return err
}

// uncommitted says what follows from a commit that failed. If there was no room
// and the old state stands, nothing happened. In every other case nobody knows
// what the disk will say after a crash, and going on could lose what was
// acknowledged.
func (db *DB) uncommitted(e *engine, err error, id int, t *core) error {
	if e.stands(id) && (noRoom(err) || !known(err) && e.refusesToGrow(t.bytes)) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return db.fail(fmt.Errorf("committing: %w", err))
}

// stands reports whether the state before commit id is still the current one:
// the engine reads its state from the page cache, where a write can be seen
// although syncing it failed.
func (e *engine) stands(id int) bool {
	tx, err := e.begin(false)
	if err != nil {
		return false
	}
	defer tx.Rollback()
	return tx.ID() < id
}

// noRoom reports whether err says that the disk, the quota or the file size
// limit is exhausted.
func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// known reports whether err says what the system call returned.
func known(err error) bool {
	_, ok := errors.AsType[syscall.Errno](err)
	return ok
}

// refusesToGrow reports whether the file cannot be made longer by about what n
// bytes of rows may need. The engine keeps to itself why growing the file
// failed; so it is tried again, with room to spare.
func (e *engine) refusesToGrow(n int) bool {
	info, err := e.file.Stat()
	if err != nil {
		return false
	}
	if err := e.file.Truncate(info.Size() + 2*growth + 4*int64(n)); err != nil {
		return noRoom(err)
	}
	e.file.Truncate(info.Size()) // it may stay longer
	return false
}
