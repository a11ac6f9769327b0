package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

// compactChunk is how much is copied in one transaction of the new file, in
// bytes.
const compactChunk = 16 << 20

// Compact writes everything that is in the file into a new one, which takes its
// place: pages that were freed keep what was on them until they are used again,
// and the new file has none. What the old file's blocks on the disk hold is the
// file system's business.
//
// Updates wait meanwhile; views do not. Until the new file is complete and has
// the old one's name, the old one stands: a crash leaves one or the other, and
// perhaps PATH.compact, which the next Compact removes. [ErrFull] says that there
// was no room for both, and that nothing changed.
func (db *DB) Compact(ctx context.Context) error {
	if db.readOnly {
		return ErrReadOnly
	}
	old, err := db.replace(ctx)
	if err != nil {
		return fmt.Errorf("compacting %s: %w", db.path, err)
	}
	return old.Close() // waits for the views that read it
}

// replace puts a copy in the place of the file, and returns the old one.
func (db *DB) replace(ctx context.Context) (old *engine, err error) {
	db.writing.Lock()
	defer db.writing.Unlock()
	if db.closed {
		return nil, ErrClosed
	}
	if err := errors.Join(ctx.Err(), db.failure()); err != nil {
		return nil, err
	}
	old = db.engine.Load()
	part := db.path + ".compact"
	if err := removePart(part); err != nil {
		return nil, err
	}
	e, err := copyOf(old, part)
	if err == nil {
		if err = os.Rename(part, db.path); err != nil {
			e.Close()
		}
	}
	if err != nil {
		os.Remove(part)
		return nil, full(err)
	}
	// From here on the file is the new one, whatever happens.
	db.engine.Store(e)
	db.marks.reset()
	db.sessions.current.Load().memory.forget() // nothing of it is good for the new file
	if err := syncDir(filepath.Dir(db.path)); err != nil {
		return nil, db.fail(fmt.Errorf("compacting: %w", err))
	}
	return old, nil
}

// copyOf writes what is in an engine to a new file, and locks that.
func copyOf(old *engine, path string) (*engine, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(f.Chmod(fileMode), lockData(f, path, false)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	e, err := startEngine(f, &bolt.Options{InitialMmapSize: mapped, NoSync: true})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if err := guard(func() error { return bolt.Compact(e.DB, old.DB, compactChunk) }); err != nil {
		if !known(err) && e.refusesToGrow(compactChunk) {
			err = fmt.Errorf("%w: %w", ErrFull, err)
		}
		return nil, errors.Join(err, e.Close())
	}
	e.NoSync = false
	if err := e.Sync(); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}
