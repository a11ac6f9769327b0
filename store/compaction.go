package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// How much is copied at a time, about, in bytes of keys and values: much, because each
// piece is a commit, but little where others write, whose commits share the disk.
const (
	pieceAlone  = 1 << 20
	pieceBeside = 256 << 10
)

// A compaction copies the file into a new one, from the first bucket to the last,
// while updates go on. Each step carries over what was changed since the last one,
// wherever that is, and then the next piece of what was not copied yet, as both
// were at one moment between two commits. So what was copied is, after each step,
// what the file held at that moment.
type compaction struct {
	db       *DB
	old, new *engine

	bucket, key []byte // where the next piece begins
	size        int    // and how much that is
	copied      bool   // there is none
	done        bool   // the new file has taken the place of the old
}

// newCompaction begins the new file.
func newCompaction(db *DB) (*compaction, error) {
	c := &compaction{db: db, old: db.engine.Load(), size: pieceBeside}
	path := db.path + ".compact"
	if err := removePart(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, err
	}
	if err := c.start(f); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return c, nil
}

// start locks the new file and gives it to an engine.
func (c *compaction) start(f *os.File) error {
	info, err := c.old.file.Stat()
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(fileMode), lockData(f, f.Name(), false), roomFor(f, info.Size()+spared)); err != nil {
		return err
	}
	c.new, err = startEngine(f, &bolt.Options{InitialMmapSize: mapped, NoSync: true})
	return err
}

// step takes one step. It returns how many changes it carried over.
func (c *compaction) step(ctx context.Context) (changed int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	c.db.writing.Lock()
	from, places, err := c.look()
	c.db.writing.Unlock()
	if err != nil {
		return 0, err
	}
	return len(places), c.write(from, places)
}

// look begins to read the old file, and returns what was changed there since the
// last look. The caller holds writing.
func (c *compaction) look() (*bolt.Tx, []change, error) {
	if err := c.db.usable(); err != nil {
		return nil, nil, err
	}
	from, err := c.old.begin(false)
	return from, c.db.changed.take(), err
}

// write writes changes, and a piece, to the new file. It ends from.
func (c *compaction) write(from *bolt.Tx, places []change) error {
	defer from.Rollback()
	to, err := c.new.begin(true)
	if err != nil {
		return err
	}
	defer to.Rollback() // after a commit it does nothing
	err = guard(func() error {
		if err := carry(from, to, places); err != nil {
			return err
		}
		if err := c.copyPiece(from, to); err != nil {
			return err
		}
		return to.Commit()
	})
	if err != nil {
		return c.unwritten(err)
	}
	return c.new.Sync()
}

// unwritten adds ErrFull to an error of the engine if that was the reason.
func (c *compaction) unwritten(err error) error {
	if noRoom(err) || !known(err) && c.new.refusesToGrow(pieceAlone) {
		return fmt.Errorf("%w: %w", ErrFull, err)
	}
	return err
}

// copyPiece copies the next piece, if there is one, and notes where it ended.
func (c *compaction) copyPiece(from, to *bolt.Tx) error {
	if c.copied {
		return nil
	}
	room := c.size
	buckets := from.Cursor()
	for name, _ := buckets.Seek(c.bucket); name != nil; name, _ = buckets.Next() {
		source, target, err := both(from, to, name)
		if err != nil {
			return err
		}
		c.bucket = bytes.Clone(name)
		if c.key, err = copySome(source, target, c.key, &room); err != nil || c.key != nil {
			return err
		}
	}
	c.copied = true
	return nil
}

// verify looks at every page of the new file.
func (c *compaction) verify() error {
	h, err := readHeader(c.new.file)
	if err != nil {
		return err
	}
	return verifyPages(c.new.file, h)
}

// replace carries over the last changes and puts the new file in the place of the
// old, while updates wait.
func (c *compaction) replace() error {
	c.db.writing.Lock()
	defer c.db.writing.Unlock()
	began := time.Now()
	from, places, err := c.look()
	if err != nil {
		return err
	}
	if err := c.write(from, places); err != nil {
		return err
	}
	if err := os.Rename(c.new.file.Name(), c.db.path); err != nil {
		return err
	}
	// From here on the file is the new one, whatever happens.
	c.done, c.new.NoSync = true, false
	c.db.engine.Store(c.new)
	c.db.marks.reset()
	c.db.sessions.current.Load().memory.forget() // nothing of it is good for the new file
	if err := syncDir(filepath.Dir(c.db.path)); err != nil {
		return c.db.fail(fmt.Errorf("compacting: %w", err))
	}
	c.db.log.Info("updates waited for the compacted file", "changes", len(places), "took", time.Since(began))
	return nil
}
