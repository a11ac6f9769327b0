package store

import (
	"context"
	"errors"
	"fmt"
)

// maxFound bounds how many errors of the engine Check reports.
const maxFound = 10

// Check reads the whole file and returns what is wrong with it: pages that are
// lost or used twice; then, in the buckets and logs that were used since the DB
// was opened, every row, tag and index entry. While the DB is sealed, tagged
// buckets are left out. Updates wait meanwhile.
func (db *DB) Check(ctx context.Context) error {
	if err := errors.Join(ctx.Err(), db.failure()); err != nil {
		return err
	}
	if err := db.checkPages(); err != nil {
		return err
	}
	return db.View(ctx, func(tx *Tx) error {
		for owner := range db.used(tx.core.mac != nil) {
			if err := errors.Join(ctx.Err(), owner.check(tx)); err != nil {
				return err
			}
		}
		return nil
	})
}

// used returns what was used since the DB was opened, with or without what is
// tagged.
func (db *DB) used(tagged bool) map[declared]bool {
	used := map[declared]bool{}
	db.tables.Range(func(_, v any) bool {
		if t := v.(*table); tagged || !t.tagged {
			used[t.owner] = true
		}
		return true
	})
	return used
}

// checkPages has the engine check its file. It must not change meanwhile, so
// this is a write transaction, where there can be one.
func (db *DB) checkPages() error {
	e := db.engine.Load()
	tx, err := e.begin(!db.readOnly)
	if err != nil {
		return ErrClosed
	}
	defer tx.Rollback()
	h, err := readHeader(e.file)
	if err == nil {
		err = verifyPages(e.file, h)
	}
	if err != nil {
		return err
	}
	var found []error
	for err := range tx.Check() {
		if len(found) < maxFound {
			found = append(found, fmt.Errorf("%w: %w", ErrDamaged, err))
		}
	}
	return errors.Join(found...)
}

// check implements declared: every row is where its key says, and is in the
// indexes; every index entry leads to its row.
func (b *Bucket[R]) check(tx *Tx) (err error) {
	b.walk(tx, "", "", func(key, body []byte, e error) bool {
		if err = e; err == nil {
			err = b.checkRow(tx, Key(key), body)
		}
		return err == nil
	})
	if err != nil {
		return err
	}
	for _, x := range b.indexes {
		if err := x.check(tx); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bucket[R]) checkRow(tx *Tx, key Key, body []byte) error {
	r, err := b.decode(key, body)
	if err != nil {
		return err
	}
	if r.Key() != key {
		return b.fail(key, ErrTampered)
	}
	for _, x := range b.indexes {
		if err := x.present(tx, key, r); err != nil {
			return err
		}
	}
	return nil
}
