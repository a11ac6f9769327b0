package store

import (
	"bytes"
	"iter"
)

// A Plain holds values as they are, without a tag. It is for values that tell by
// themselves whether they belong where they lie, as what is sealed for its place
// does, and it can be used while the DB is sealed. Like a [Bucket] it is declared
// once and holds no data.
type Plain struct{ table }

// NewPlain declares a Plain.
func NewPlain(name string) *Plain {
	p := &Plain{}
	p.table = newTable(name, false, p)
	return p
}

// Get returns the value under key, or ErrNotFound. It is only good until tx ends or
// writes, and must not be written to.
func (p *Plain) Get(tx *Tx, key Key) ([]byte, error) { return p.get(tx, key) }

// Put stores a value under key, in the place of the one there is, if any. It keeps
// the value.
func (p *Plain) Put(tx *Tx, key Key, value []byte) error {
	if err := checkKey(key); err != nil {
		return p.fail(key, err)
	}
	if len(value) > maxRow {
		return p.fail(key, ErrTooLarge)
	}
	return p.put(tx, key, value)
}

// A Swap is a value that is to take the place of another.
type Swap struct {
	Key      Key
	Old, New []byte
}

// Swap puts values in the place of others that are still there, and returns how many
// those are. The swaps are in the order of their keys. It keeps the new values.
func (p *Plain) Swap(tx *Tx, swaps []Swap) (n int, err error) {
	b, err := p.open(tx)
	if b == nil || err != nil || len(swaps) == 0 {
		return 0, err
	}
	var still []Swap
	c := b.Cursor()
	k, v := c.Seek([]byte(swaps[0].Key))
	for _, s := range swaps {
		for k != nil && string(k) < string(s.Key) {
			k, v = c.Next()
		}
		if string(k) == string(s.Key) && bytes.Equal(v, s.Old) {
			still = append(still, s)
		}
	}
	for _, s := range still {
		if err := p.Put(tx, s.Key, s.New); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Delete removes the value under key, if there is one.
func (p *Plain) Delete(tx *Tx, key Key) error { return p.delete(tx, key) }

// From yields the keys and values behind the key after, in key order. A value is
// only good until the loop goes on or writes.
func (p *Plain) From(tx *Tx, after Key) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		p.walk(tx, "", after, func(key, value []byte, err error) bool {
			return yield(Entry{Key(key), value}, err) && err == nil
		})
	}
}

// An Entry is one value of a [Plain].
type Entry struct {
	Key   Key
	Value []byte
}

// check reads every value.
func (p *Plain) check(tx *Tx) error {
	for _, err := range p.From(tx, "") {
		if err != nil {
			return err
		}
	}
	return nil
}
