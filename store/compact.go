package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// fewChanges is how many changes updates may wait for at the end of a
	// compaction.
	fewChanges = 500
	// catchUps is how often a compaction tries to come down to that.
	catchUps = 10
)

// Compact writes everything that is in the file into a new one, which takes its
// place: pages that were freed keep what was on them until they are used again,
// and the new file has none from before. What the old file's blocks on the disk
// hold is the file system's business.
//
// Views and updates go on meanwhile; only for the last few changes updates wait.
// What is deleted while Compact runs may be in the new file, on freed pages. Until
// that is complete and has the old one's name, the old one stands: a crash leaves
// one or the other, and perhaps PATH.compact, which the next Compact removes.
// [ErrFull] says that there was no room for both, and that nothing changed.
//
// Compact returns when no view reads the old file any more, and that is gone.
// Others that call it meanwhile wait for their turn.
func (db *DB) Compact(ctx context.Context) error {
	if db.readOnly {
		return ErrReadOnly
	}
	select {
	case db.compacting <- struct{}{}:
		defer func() { <-db.compacting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := db.compact(ctx); err != nil {
		return fmt.Errorf("compacting %s: %w", db.path, err)
	}
	return nil
}

func (db *DB) compact(ctx context.Context) error {
	if err := db.note(&changes{}); err != nil {
		return err
	}
	defer db.note(nil)
	c, err := newCompaction(db)
	if err != nil {
		return full(err)
	}
	if err = c.follow(ctx); err == nil {
		err = c.replace()
	}
	if !c.done {
		return full(errors.Join(err, c.new.Close(), os.Remove(c.new.file.Name())))
	}
	return errors.Join(err, c.old.Close())
}

// note has changes noted from now on; with nil, no more.
func (db *DB) note(c *changes) error {
	db.writing.Lock()
	defer db.writing.Unlock()
	db.changed = c
	return db.usable()
}

// usable returns why nothing can be written any more. The caller holds writing.
func (db *DB) usable() error {
	if db.closed {
		return ErrClosed
	}
	return db.failure()
}

// follow copies the file, and what is changed in it until little is left to do.
func (c *compaction) follow(ctx context.Context) error {
	for !c.copied {
		if err := c.stepAndRest(ctx); err != nil {
			return err
		}
	}
	if err := c.verify(); err != nil {
		return err
	}
	for range catchUps {
		if changed, err := c.step(ctx); err != nil || changed <= fewChanges {
			return err
		}
	}
	return nil
}

// stepAndRest takes a step and then, where others write, leaves the machine to them
// for as long as that took.
func (c *compaction) stepAndRest(ctx context.Context) error {
	began := time.Now()
	changed, err := c.step(ctx)
	if err != nil || changed == 0 {
		c.size = pieceAlone
		return err
	}
	c.size = pieceBeside
	select {
	case <-ctx.Done():
	case <-time.After(time.Since(began)):
	}
	return nil
}
