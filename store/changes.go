package store

import (
	"bytes"
	"cmp"
	"slices"

	bolt "go.etcd.io/bbolt"
)

// A change is a place that was written: a key in a table, under which there may be
// a row now or none.
type change struct{ table, key string }

// changes are the places that were written since they were last taken. A nil
// *changes takes note of nothing.
type changes struct{ noted []change }

func (c *changes) add(more []change) {
	if c != nil {
		c.noted = append(c.noted, more...)
	}
}

// take returns the places, and begins anew.
func (c *changes) take() []change {
	noted := c.noted
	c.noted = nil
	return noted
}

// carry makes places in one file what they are in another: each once, and in the
// order of the file.
func carry(from, to *bolt.Tx, places []change) error {
	slices.SortFunc(places, func(a, b change) int {
		return cmp.Or(cmp.Compare(a.table, b.table), cmp.Compare(a.key, b.key))
	})
	for _, p := range slices.Compact(places) {
		source, target, err := both(from, to, []byte(p.table))
		if err != nil {
			return err
		}
		key := []byte(p.key)
		if v := source.Get(key); v != nil {
			err = target.Put(key, v)
		} else {
			err = target.Delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// both returns a bucket and its like in the other file, which is made if there is
// none.
func both(from, to bucketed, name []byte) (source, target *bolt.Bucket, err error) {
	source = from.Bucket(name)
	if target, err = to.CreateBucketIfNotExists(name); err != nil {
		return nil, nil, err
	}
	if n := source.Sequence(); n != target.Sequence() {
		err = target.SetSequence(n)
	}
	return source, target, err
}

// A bucketed has buckets: a transaction, or a bucket.
type bucketed interface {
	Bucket(name []byte) *bolt.Bucket
	CreateBucketIfNotExists(name []byte) (*bolt.Bucket, error)
}

// copySome copies a bucket from a key on, until there is no room left for more. It
// returns the key it came to, nil for the end. A bucket within it is copied whole.
func copySome(source, target *bolt.Bucket, from []byte, room *int) (next []byte, err error) {
	target.FillPercent = 1
	c := source.Cursor()
	for k, v := c.Seek(from); k != nil; k, v = c.Next() {
		if *room <= 0 {
			return bytes.Clone(k), nil
		}
		*room -= len(k) + len(v)
		if v == nil {
			err = copyWithin(source, target, k)
		} else {
			err = target.Put(k, v)
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// copyWithin copies a bucket within a bucket, with all there is in it.
func copyWithin(source, target *bolt.Bucket, name []byte) error {
	source, target, err := both(source, target, name)
	if err != nil {
		return err
	}
	return source.ForEach(func(k, v []byte) error {
		if v == nil {
			return copyWithin(source, target, k)
		}
		return target.Put(k, v)
	})
}
