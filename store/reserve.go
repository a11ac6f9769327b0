package store

import (
	"errors"
	"log/slog"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// reserveStep is how much of the reserve is given up at a time: what is free
// then is free for every process.
const reserveStep = 1 << 20

// restoreEvery is how often it is tried to have the reserve whole again.
const restoreEvery = time.Second

// A Share says how far an update may go into the reserve.
type Share int

// The shares. The zero Share is nothing.
const (
	// Half is until half of the reserve is left: for what others can cause.
	Half Share = iota + 1
	// Whole is to its end.
	Whole
)

// UseReserve lets what tx writes be committed on a full disk, as long as the
// reserve (see [Options.Reserve]) lasts.
func (tx *Tx) UseReserve(s Share) { tx.core.share = max(tx.core.share, s) }

// A reserve is a file beside the database that takes up room for nothing, until
// it is given up for updates that must be possible on a full disk. While it is
// not whole, no others are. Only the committer uses it; everybody may see how
// much is left. A nil reserve is none.
type reserve struct {
	file  *os.File
	log   *slog.Logger
	size  int64
	left  atomic.Int64
	tried time.Time // to make it whole again
}

func reservePath(path string) string { return path + ".reserve" }

// openReserve returns the reserve of the database at path, made if there is none;
// nil where n is 0, and where there is no room for one, which is logged. One that
// was given up before is there, in part.
func openReserve(path string, n int64, log *slog.Logger) (*reserve, error) {
	if n == 0 {
		return nil, removeReserve(path)
	}
	path = reservePath(path)
	made, err := ours(path, wantZeros)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return nil, full(err)
	}
	r := &reserve{file: f, log: log, size: n}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if made && !r.whole() {
		log.Warn("no room for a reserve: on a full disk nothing can be recorded", "file", path, "bytes", n)
		return nil, errors.Join(os.Remove(path), f.Close())
	}
	return r, nil
}

// removeReserve removes the reserve of the database at path, if there is one.
func removeReserve(path string) error { return removeOurs(reservePath(path), wantZeros) }

// open finds out how much of the reserve there is, and completes it.
func (r *reserve) open() error {
	var s unix.Stat_t
	if err := unix.Fstat(int(r.file.Fd()), &s); err != nil {
		return err
	}
	if err := r.file.Chmod(fileMode); err != nil {
		return err
	}
	r.left.Store(min(s.Size, r.size))
	if s.Blocks*512 < s.Size {
		r.left.Store(0) // it has a length, and takes up nothing
	}
	if err := r.file.Truncate(r.left.Load()); err != nil {
		return err
	}
	return r.restore()
}

// restore makes the reserve whole, if there is room. No room is no error.
func (r *reserve) restore() error {
	if r.whole() || time.Since(r.tried) < restoreEvery {
		return nil
	}
	r.tried = time.Now()
	err := allocate(r.file, r.left.Load(), r.size-r.left.Load())
	if err == nil {
		r.left.Store(r.size)
		return nil
	}
	err = errors.Join(err, r.file.Truncate(r.left.Load())) // some of it may be there
	if noRoom(err) {
		return nil
	}
	return err
}

// whole reports whether there is room for all updates.
func (r *reserve) whole() bool { return r == nil || r.left.Load() == r.size }

// serves reports whether an update with that share may write while the reserve
// is not whole.
func (r *reserve) serves(s Share) bool { return s > 0 && r.left.Load() >= r.floor(s) }

// floor returns how much is left when a share is used up.
func (r *reserve) floor(s Share) int64 {
	if s == Half {
		return r.size / 2
	}
	return 0
}

// give makes a little room for a share. It reports whether there was any left.
func (r *reserve) give(s Share) bool {
	if r == nil || s == 0 {
		return false
	}
	left := max(r.left.Load()-reserveStep, r.floor(s))
	if left >= r.left.Load() || errors.Join(r.file.Truncate(left), r.file.Sync()) != nil {
		return false
	}
	if r.whole() {
		r.log.Error("the disk is full: nothing is written now but what an emergency needs, from the reserve", "file", r.file.Name())
	}
	r.left.Store(left)
	return true
}

// bytes returns how much there is.
func (r *reserve) bytes() int64 {
	if r == nil {
		return 0
	}
	return r.left.Load()
}

func (r *reserve) close() error {
	if r == nil {
		return nil
	}
	return r.file.Close()
}

// writeZeros writes n zeros, from an offset on.
func writeZeros(f *os.File, from, n int64) error {
	zeros := make([]byte, min(n, reserveStep))
	for end := from + n; from < end; {
		k, err := f.WriteAt(zeros[:min(end-from, int64(len(zeros)))], from)
		if err != nil {
			return err
		}
		from += int64(k)
	}
	return f.Sync()
}
