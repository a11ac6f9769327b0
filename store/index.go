package store

import (
	"encoding/binary"
	"errors"
	"iter"
)

// An indexed keeps an index of a bucket's rows.
type indexed[R Row] interface {
	// refuse returns an error if r must not be written under key, in the place
	// of old if that is not nil.
	refuse(tx *Tx, key Key, old *R, r R) error
	// move makes the entry that was old's be now's; either may be nil.
	move(tx *Tx, key Key, old, now *R) error
	// present returns ErrTampered if the row under key lacks its entry.
	present(tx *Tx, key Key, r R) error
	// check follows every entry to its row and returns the first error.
	check(tx *Tx) error
}

// An index is what both kinds have in common.
type index[R Row] struct {
	table
	rows *Bucket[R]
	of   func(R) (Key, bool)
	// entry returns the key of the entry and its body, for an index key and the
	// key of a row.
	entry func(at, row Key) (Key, Key)
}

// An Index finds a row by a key that no other row of its bucket has.
//
// The bucket keeps it: an entry is written, moved and deleted with its row.
// Entries are tagged like the bucket's rows. An entry that leads to no row, or
// to one with another index key, is ErrTampered.
type Index[R Row] struct{ index[R] }

// Unique declares an index of b. The function of returns a row's index key,
// false for a row that is not in the index; it depends on nothing but the row.
// The index must be declared before b is used, and may not be added to a bucket
// that has rows.
func Unique[R Row](b *Bucket[R], name string, of func(R) (Key, bool)) *Index[R] {
	x := &Index[R]{index[R]{rows: b, of: of, entry: uniqueEntry}}
	x.table = newTable(name, b.tagged, b)
	x.kept = b.kept
	b.indexes = append(b.indexes, x)
	return x
}

// Get returns the row whose index key is at, or ErrNotFound.
func (x *Index[R]) Get(tx *Tx, at Key) (R, error) {
	if row, ok := x.recall(tx, at); ok {
		return x.follow(tx, at, at, row.(Key))
	}
	row, err := x.get(tx, at)
	if err != nil {
		var zero R
		return zero, err
	}
	x.remember(tx, at, Key(row), len(row))
	return x.follow(tx, at, at, Key(row))
}

// From yields the rows whose index key is prefix or begins with all of its
// parts and comes after the index key after, in the order of index keys: the
// next page of a list whose last row had that key, whether or not it is still
// there. For the rest it is like [Bucket.All].
func (x *Index[R]) From(tx *Tx, after, prefix Key) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		x.walk(tx, prefix, after, func(entry, row []byte, err error) bool {
			if err != nil {
				var zero R
				return yield(zero, err)
			}
			r, err := x.follow(tx, Key(entry), Key(entry), Key(row))
			return yield(r, err) && err == nil
		})
	}
}

// Of returns the index key of r, empty if it has none.
func (x *Index[R]) Of(r R) Key {
	at, _ := x.at(&r)
	return at
}

// refuse returns ErrExists if another row has r's index key.
func (x *Index[R]) refuse(tx *Tx, key Key, old *R, r R) error {
	at, err := x.fresh(old, r)
	if at == "" || err != nil {
		return err
	}
	row, err := x.get(tx, at)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case Key(row) != key:
		return x.fail(at, ErrExists)
	}
	return nil
}

// check implements indexed.
func (x *Index[R]) check(tx *Tx) (err error) {
	x.walk(tx, "", "", func(entry, row []byte, e error) bool {
		if err = e; err == nil {
			_, err = x.follow(tx, Key(entry), Key(entry), Key(row))
		}
		return err == nil
	})
	return err
}

// A Multi finds all rows with the same key. What is said of [Index] holds for
// it too.
type Multi[R Row] struct{ index[R] }

// NewMulti declares an index of b, as [Unique] does, in which several rows may
// have the same key.
func NewMulti[R Row](b *Bucket[R], name string, of func(R) (Key, bool)) *Multi[R] {
	x := &Multi[R]{index[R]{rows: b, of: of, entry: multiEntry}}
	x.table = newTable(name, b.tagged, b)
	b.indexes = append(b.indexes, x)
	return x
}

// All yields the rows whose index key is at or begins with all of its parts,
// ordered by index key and then by their own keys, as long as these have as
// many parts as each other. For the rest it is like [Bucket.All].
func (x *Multi[R]) All(tx *Tx, at Key) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		x.walk(tx, at, "", func(entry, body []byte, err error) bool {
			var r R
			if err != nil {
				return yield(r, err)
			}
			full, row, ok := splitMulti(string(entry))
			if !ok {
				return yield(r, x.fail(Key(entry), ErrTampered))
			}
			if len(full) < len(at) {
				return true // a shorter index key that its row's key completes
			}
			r, err = x.follow(tx, Key(entry), full, row)
			return yield(r, err) && err == nil
		})
	}
}

// refuse returns an error only for keys that cannot be stored.
func (x *Multi[R]) refuse(_ *Tx, _ Key, old *R, r R) error {
	_, err := x.fresh(old, r)
	return err
}

// check implements indexed.
func (x *Multi[R]) check(tx *Tx) error {
	for _, err := range x.All(tx, "") {
		if err != nil {
			return err
		}
	}
	return nil
}

// follow returns the row that an entry leads to. An old entry put back into the
// file has a right tag, but no longer the right row.
func (x *index[R]) follow(tx *Tx, entry, at, row Key) (R, error) {
	r, err := x.rows.Get(tx, row)
	if errors.Is(err, ErrNotFound) {
		return r, x.fail(entry, ErrTampered)
	}
	if err != nil {
		return r, err
	}
	if now, ok := x.of(r); !ok || now != at {
		var zero R
		return zero, x.fail(entry, ErrTampered)
	}
	return r, nil
}

// move implements indexed.
func (x *index[R]) move(tx *Tx, key Key, old, now *R) error {
	from, had := x.at(old)
	to, has := x.at(now)
	if had == has && from == to {
		return nil
	}
	if had {
		if err := x.remove(tx, from, key); err != nil {
			return err
		}
	}
	if !has {
		return nil
	}
	entry, body := x.entry(to, key)
	return x.put(tx, entry, append(make([]byte, x.room(), x.room()+len(body)), body...))
}

// fresh returns the index key of r if that is not old's already, else "".
func (x *index[R]) fresh(old *R, r R) (Key, error) {
	at, has := x.at(&r)
	if from, had := x.at(old); !has || had && from == at {
		return "", nil
	}
	if err := checkKey(at); err != nil {
		return "", x.fail(at, err)
	}
	return at, nil
}

// at returns the index key of r, false if it has none or is nil.
func (x *index[R]) at(r *R) (Key, bool) {
	if r == nil {
		return "", false
	}
	at, ok := x.of(*r)
	if !ok {
		return "", false
	}
	return at, true
}

// remove deletes the entry of a row, which has to be there and to be its own.
func (x *index[R]) remove(tx *Tx, at, row Key) error {
	entry, body := x.entry(at, row)
	found, err := x.get(tx, entry)
	if errors.Is(err, ErrNotFound) || err == nil && Key(found) != body {
		return x.fail(entry, ErrTampered)
	}
	if err != nil {
		return err
	}
	return x.delete(tx, entry)
}

// present implements indexed.
func (x *index[R]) present(tx *Tx, key Key, r R) error {
	at, ok := x.of(r)
	if !ok {
		return nil
	}
	entry, body := x.entry(at, key)
	found, err := x.get(tx, entry)
	if errors.Is(err, ErrNotFound) || err == nil && Key(found) != body {
		return x.fail(entry, ErrTampered)
	}
	return err
}

// uniqueEntry: the index key leads to the row's key.
func uniqueEntry(at, row Key) (Key, Key) { return at, row }

// multiEntry: the whole entry is in its key,
//
//	index key │ NUL │ row's key │ length of the row's key, u16 big-endian
//
// so that entries of one index key lie together, and no two pairs of keys make
// the same entry. The body is empty.
func multiEntry(at, row Key) (Key, Key) {
	e := make([]byte, 0, len(at)+len(row)+3)
	e = append(e, at...)
	e = append(e, 0)
	e = append(e, row...)
	return Key(binary.BigEndian.AppendUint16(e, uint16(len(row)))), ""
}

// splitMulti undoes multiEntry.
func splitMulti(e string) (at, row Key, ok bool) {
	if len(e) < 3 {
		return "", "", false
	}
	n := int(e[len(e)-2])<<8 | int(e[len(e)-1])
	e = e[:len(e)-2]
	cut := len(e) - n - 1
	if cut < 0 || e[cut] != 0 {
		return "", "", false
	}
	return Key(e[:cut]), Key(e[cut+1:]), true
}
