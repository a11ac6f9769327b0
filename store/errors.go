package store

import (
	"errors"
	"fmt"
	"strconv"
)

var (
	// ErrNotFound: there is no such row.
	ErrNotFound = errors.New("not found")
	// ErrExists: there is a row with this key, or another row has this unique
	// index key.
	ErrExists = errors.New("already exists")
	// ErrSealed: the bucket's rows carry tags, and no [MAC] is set.
	ErrSealed = errors.New("store is sealed")
	// ErrTampered: a row, an index entry or a log entry is not what this
	// package wrote in its place.
	ErrTampered = errors.New("changed in the file")
	// ErrDamaged: the file could not be read where data should be.
	ErrDamaged = errors.New("file is damaged")
	// ErrTooLarge: a key or a row is longer than the store keeps.
	ErrTooLarge = errors.New("too large")
	// ErrFull: there was no room on the disk, in the quota or below the file
	// size limit. Nothing was changed, and the DB can be used further.
	ErrFull = errors.New("storage is full")
	// ErrReadOnly: a write was asked of a read-only DB or of a View.
	ErrReadOnly = errors.New("read-only")
	// ErrClosed: the DB was closed.
	ErrClosed = errors.New("store is closed")
	// ErrFailed: a commit failed in a way that leaves unknown what is on the
	// disk. Nothing can be read or written until the file is opened again.
	ErrFailed = errors.New("store failed")
	// ErrNewer: the file was written by a newer version of this program.
	ErrNewer = errors.New("written by a newer version")
	// ErrForeign: the file is not a cortex database.
	ErrForeign = errors.New("not a cortex database")
)

// errEnded: a Tx was kept beyond the function it was given to.
var errEnded = errors.New("store: transaction has ended")

// A RowError says which row an error is about. Its text is meant for logs.
type RowError struct {
	Bucket string // the bucket, index or log
	Key    Key
	Err    error
}

// Error names the bucket and the key, quoted.
func (e *RowError) Error() string {
	return e.Bucket + " " + strconv.Quote(string(e.Key)) + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *RowError) Unwrap() error { return e.Err }

// An InUseError is returned by [Open] while another process, or another DB of
// this one, has the file open.
type InUseError struct {
	// PID is the process that serves the file; 0 if it cannot be told, as when
	// the file is open for reading only.
	PID  int
	Path string
}

// Error says who uses the file, as far as is known.
func (e *InUseError) Error() string {
	if e.PID == 0 {
		return e.Path + " is in use by another process"
	}
	return fmt.Sprintf("%s is in use by pid %d", e.Path, e.PID)
}
