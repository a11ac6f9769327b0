package store

import (
	"errors"
	"iter"
)

// A Row is a record that knows its key. Rows are encoded as CBOR, field by
// field; give the fields numbers (`cbor:"1,keyasint"`) and never use a number
// twice. A row with a field that the struct does not know is refused.
type Row interface {
	Key() Key
}

// A Named is something with a name in the file: a [Bucket], [Index], [Multi] or
// [Log].
type Named interface {
	Name() string
}

// A Bucket holds rows of one type. It is declared once, as a package variable,
// and holds no data itself: every method works in the [Tx] it is given. Two
// declarations of one name used with one DB panic.
//
// Methods return, besides the errors they name, ErrSealed and, for what was
// changed in the file, ErrTampered. A method that fails for another reason than
// ErrTampered has written nothing.
type Bucket[R Row] struct {
	table
	indexes []indexed[R]
}

// Rows declares a bucket whose rows carry a tag over bucket, key and content,
// which is checked whenever a row is read. It can be used after [DB.SetMAC].
func Rows[R Row](name string) *Bucket[R] { return newBucket[R](name, true) }

// Clear declares a bucket whose rows carry no tag, which can be used while the
// DB is sealed. Whoever can write the file can change them unnoticed.
func Clear[R Row](name string) *Bucket[R] { return newBucket[R](name, false) }

func newBucket[R Row](name string, tagged bool) *Bucket[R] {
	b := &Bucket[R]{}
	b.table = newTable(name, tagged, b)
	return b
}

// Kept makes b remember rows that a View gets, and that there are none, and its unique indexes where
// they are found, until somebody writes to b, the DB is sealed, or others are
// asked for more. It is for a bucket that is read much more often than it is
// written. A View then shares a row with other Views: what the row points to
// must not be written to. It is called in the declaration.
func (b *Bucket[R]) Kept() *Bucket[R] {
	b.kept = true
	return b
}

// Get returns the row under key, or ErrNotFound.
func (b *Bucket[R]) Get(tx *Tx, key Key) (R, error) {
	var zero R
	if row, ok := b.recall(tx, key); ok {
		if row == nil {
			return zero, b.fail(key, ErrNotFound)
		}
		return row.(R), nil
	}
	body, err := b.get(tx, key)
	if err != nil {
		if errors.Is(err, ErrNotFound) {
			b.remember(tx, key, nil, 0)
		}
		return zero, err
	}
	row, err := b.decode(key, body)
	if err != nil {
		return zero, err
	}
	b.remember(tx, key, row, len(body))
	return row, nil
}

// Has reports whether there is a row under key.
func (b *Bucket[R]) Has(tx *Tx, key Key) (bool, error) {
	if row, ok := b.recall(tx, key); ok {
		return row != nil, nil
	}
	_, err := b.get(tx, key)
	if errors.Is(err, ErrNotFound) {
		b.remember(tx, key, nil, 0)
		return false, nil
	}
	return err == nil, err
}

// Insert stores a new row. It returns ErrExists if there is one with its key,
// or another with one of its unique index keys.
func (b *Bucket[R]) Insert(tx *Tx, r R) error {
	key := r.Key()
	found, err := b.Has(tx, key)
	if err != nil {
		return err
	}
	if found {
		return b.fail(key, ErrExists)
	}
	return b.write(tx, key, nil, r)
}

// Put stores a row in the place of the one with its key, if there is one. It
// returns ErrExists if another has one of its unique index keys.
func (b *Bucket[R]) Put(tx *Tx, r R) error {
	key := r.Key()
	if len(b.indexes) == 0 {
		return b.write(tx, key, nil, r)
	}
	old, err := b.Get(tx, key)
	if errors.Is(err, ErrNotFound) {
		return b.write(tx, key, nil, r)
	}
	if err != nil {
		return err
	}
	return b.write(tx, key, &old, r)
}

// Reseal is Put for a row that says what the one in its place says, in another
// encryption: [Tx.Changed] does not count it.
func (b *Bucket[R]) Reseal(tx *Tx, r R) error {
	_, before := tx.core.written[b.name]
	err := b.Put(tx, r)
	if !before {
		delete(tx.core.written, b.name)
	}
	return err
}

// Delete removes the row under key, or returns ErrNotFound.
func (b *Bucket[R]) Delete(tx *Tx, key Key) error {
	old, err := b.Get(tx, key)
	if err != nil {
		return err
	}
	for _, x := range b.indexes {
		if err := x.move(tx, key, &old, nil); err != nil {
			return err
		}
	}
	return b.delete(tx, key)
}

// All yields the rows whose key is prefix or begins with all of its parts, in
// key order; with the empty prefix, all there are. It ends after the first
// error. Meanwhile the loop may write to the bucket, and delete the row it was
// given: rows written behind the current one are not seen, those ahead are.
func (b *Bucket[R]) All(tx *Tx, prefix Key) iter.Seq2[R, error] {
	return b.From(tx, "", prefix)
}

// From is All without the rows up to and including the key after: the next page
// of a list whose last row had that key, whether or not it is still there.
func (b *Bucket[R]) From(tx *Tx, after, prefix Key) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		b.walk(tx, prefix, after, func(key, body []byte, err error) bool {
			if err != nil {
				var zero R
				return yield(zero, err)
			}
			r, err := b.decode(Key(key), body)
			return yield(r, err) && err == nil
		})
	}
}

// write stores r, in the place of old if that is not nil, and moves its index
// entries. Nothing is written before everything is known to be in order.
func (b *Bucket[R]) write(tx *Tx, key Key, old *R, r R) error {
	if err := checkKey(key); err != nil {
		return b.fail(key, err)
	}
	value, err := encode(r, b.room())
	if err != nil {
		return b.fail(key, err)
	}
	for _, x := range b.indexes {
		if err := x.refuse(tx, key, old, r); err != nil {
			return err
		}
	}
	for _, x := range b.indexes {
		if err := x.move(tx, key, old, &r); err != nil {
			return err
		}
	}
	return b.put(tx, key, value)
}

// decode turns a body into the row it is. What does not decode was not written
// here.
func (b *Bucket[R]) decode(key Key, body []byte) (R, error) {
	r, err := decode[R](body)
	if err != nil {
		return r, b.fail(key, errors.Join(ErrTampered, err))
	}
	return r, nil
}
