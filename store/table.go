package store

import (
	"crypto/subtle"

	bolt "go.etcd.io/bbolt"
)

// tagSize is the length of a tag, in bytes.
const tagSize = 32

// A table is a bucket of the engine: bytes under keys, tagged or not. A value
// lies in the file as
//
//	tag, 32 bytes │ body        in a tagged table, tag = RowTag(name, key, body)
//	body                        in a clear one
type table struct {
	name   string
	tagged bool
	kept   bool     // rows are remembered
	owner  declared // for an index, its bucket
}

// declared is what stands behind a table: a bucket or a log.
type declared interface {
	// check reads all of it and returns the first error.
	check(tx *Tx) error
}

func newTable(name string, tagged bool, owner declared) table {
	if name == "" || name == schemaBucket {
		panic("store: a bucket cannot be named " + name)
	}
	return table{name: name, tagged: tagged, owner: owner}
}

// Name returns the name in the file.
func (t *table) Name() string { return t.name }

// room is how many bytes a value has before its body.
func (t *table) room() int {
	if t.tagged {
		return tagSize
	}
	return 0
}

// open returns the engine's bucket; nil if nothing was ever written to it.
func (t *table) open(tx *Tx) (*bolt.Bucket, error) {
	c := tx.core
	if c == nil {
		return nil, errEnded
	}
	if t.tagged && c.mac == nil {
		return nil, t.fail("", ErrSealed)
	}
	b, ok := c.open[t.name]
	if !ok {
		c.db.declare(t)
		b = c.engine.Bucket([]byte(t.name))
		c.open[t.name] = b
	}
	return b, nil
}

// writable is open for writing under key: it makes the bucket if there is none,
// and notes what changes.
func (t *table) writable(tx *Tx, key Key) (*bolt.Bucket, error) {
	b, err := t.open(tx)
	if err != nil {
		return nil, err
	}
	if !tx.core.engine.Writable() {
		return nil, t.fail("", ErrReadOnly)
	}
	tx.core.wrote(t.name)
	tx.core.note(t.name, key)
	if b == nil {
		if b, err = tx.core.engine.CreateBucket([]byte(t.name)); err != nil {
			return nil, t.fail("", err)
		}
		tx.core.open[t.name] = b
	}
	return b, nil
}

// get returns the body under key; ErrNotFound, ErrTampered. The body is only
// good until the transaction ends or writes.
func (t *table) get(tx *Tx, key Key) ([]byte, error) {
	b, err := t.open(tx)
	if err != nil {
		return nil, err
	}
	if b == nil {
		return nil, t.fail(key, ErrNotFound)
	}
	k := []byte(key)
	v := b.Get(k)
	if v == nil {
		return nil, t.fail(key, ErrNotFound)
	}
	return t.body(tx, k, v)
}

// body returns the body of a value, if its tag is right.
func (t *table) body(tx *Tx, key, value []byte) ([]byte, error) {
	if !t.tagged {
		return value, nil
	}
	if len(value) < tagSize || len(value) > tagSize+maxRow {
		return nil, t.fail(Key(key), ErrTampered)
	}
	body := value[tagSize:]
	want := tx.core.mac.RowTag(t.name, key, body)
	if subtle.ConstantTimeCompare(want[:], value[:tagSize]) != 1 {
		return nil, t.fail(Key(key), ErrTampered)
	}
	return body, nil
}

// put stores value, whose first room bytes it fills, under key. It keeps value.
func (t *table) put(tx *Tx, key Key, value []byte) error {
	b, err := t.writable(tx, key)
	if err != nil {
		return err
	}
	k := []byte(key)
	tx.core.bytes += len(k) + len(value)
	if t.tagged {
		tag := tx.core.mac.RowTag(t.name, k, value[tagSize:])
		copy(value, tag[:])
	}
	if err := b.Put(k, value); err != nil {
		return t.fail(key, err)
	}
	return nil
}

// delete removes what is under key, if anything is.
func (t *table) delete(tx *Tx, key Key) error {
	b, err := t.writable(tx, key)
	if err != nil {
		return err
	}
	if err := b.Delete([]byte(key)); err != nil {
		return t.fail(key, err)
	}
	return nil
}

// fail says where err was met.
func (t *table) fail(key Key, err error) error {
	return &RowError{Bucket: t.name, Key: key, Err: err}
}
