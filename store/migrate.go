package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"
)

// The schema version lies under one key of a bucket of its own, as a u32,
// big-endian. It counts the changes that an older program would not understand.
const (
	schemaBucket = "cortex"
	schemaKey    = "schema"
	firstSchema  = 1
)

// migrations lead from each version, beginning with the first, to the next.
// They see the engine's buckets, before any key is known: rows with tags are
// for them to move or drop, not to change.
var migrations []func(*bolt.Tx) error

// newestSchema is the version this program writes.
func newestSchema(steps []func(*bolt.Tx) error) uint32 {
	return firstSchema + uint32(len(steps))
}

// writeSchema marks a new file.
func writeSchema(tx *bolt.Tx) error { return setSchema(tx, newestSchema(migrations)) }

func setSchema(tx *bolt.Tx, version uint32) error {
	b, err := tx.CreateBucketIfNotExists([]byte(schemaBucket))
	if err != nil {
		return err
	}
	return b.Put([]byte(schemaKey), binary.BigEndian.AppendUint32(nil, version))
}

// schema returns the version of a file: ErrForeign if it has none.
func schema(engine *bolt.DB) (version uint32, err error) {
	err = engine.View(func(tx *bolt.Tx) error {
		return guard(func() (err error) {
			version, err = schemaOf(tx)
			return err
		})
	})
	return version, err
}

func schemaOf(tx *bolt.Tx) (uint32, error) {
	b := tx.Bucket([]byte(schemaBucket))
	if b == nil {
		return 0, ErrForeign
	}
	v := b.Get([]byte(schemaKey))
	if len(v) != 4 || binary.BigEndian.Uint32(v) < firstSchema {
		return 0, fmt.Errorf("%w: no schema version", ErrForeign)
	}
	return binary.BigEndian.Uint32(v), nil
}

// checkSchema accepts a file that can be read as it is.
func checkSchema(engine *bolt.DB) error {
	has, err := schema(engine)
	if err != nil {
		return fmt.Errorf("%s: %w", engine.Path(), err)
	}
	newest := newestSchema(migrations)
	switch {
	case has > newest:
		return tooNew(engine, has, newest)
	case has < newest:
		return fmt.Errorf("%s has schema %d and must be opened for writing first, to become %d", engine.Path(), has, newest)
	}
	return nil
}

// migrate brings a file to the newest version, in one transaction.
func migrate(engine *bolt.DB, steps []func(*bolt.Tx) error) error {
	has, err := schema(engine)
	if err != nil {
		return fmt.Errorf("%s: %w", engine.Path(), err)
	}
	newest := newestSchema(steps)
	if has > newest {
		return tooNew(engine, has, newest)
	}
	if has == newest {
		return nil
	}
	return engine.Update(func(tx *bolt.Tx) error {
		for i, step := range steps[has-firstSchema:] {
			if err := step(tx); err != nil {
				return fmt.Errorf("migrating %s from schema %d: %w", engine.Path(), int(has)+i, err)
			}
		}
		return setSchema(tx, newest)
	})
}

func tooNew(engine *bolt.DB, has, newest uint32) error {
	return fmt.Errorf("%s: %w: it has schema %d, this program knows %d", engine.Path(), ErrNewer, has, newest)
}
