package store

import (
	"encoding/binary"
	"fmt"
	"iter"

	bolt "go.etcd.io/bbolt"
)

// A Log holds values in the order of their sequence numbers; it grows at its
// end and is cut at its beginning. Values are kept as they are, without a tag:
// a log that must not be forged chains its own records. It can be used while
// the DB is sealed. Like a [Bucket] it is declared once and holds no data.
type Log struct{ table }

// A Record is one value of a [Log].
type Record struct {
	Seq   uint64
	Value []byte // the caller's own copy
}

// NewLog declares a log.
func NewLog(name string) *Log {
	l := &Log{}
	l.table = newTable(name, false, l)
	return l
}

// Append adds a value at the end. It returns ErrExists if seq is not greater
// than that of the last record, nor than 0.
func (l *Log) Append(tx *Tx, seq uint64, value []byte) error {
	if len(value) > maxRow {
		return l.fail(seqKey(seq), fmt.Errorf("%w: record of %d bytes", ErrTooLarge, len(value)))
	}
	b, err := l.open(tx)
	if err != nil {
		return err
	}
	var last []byte
	if b != nil {
		last, _ = b.Cursor().Last()
	}
	if seq == 0 || string(last) >= string(seqKey(seq)) {
		return l.fail(seqKey(seq), ErrExists)
	}
	if b, err = l.writable(tx, seqKey(seq)); err != nil {
		return err
	}
	b.FillPercent = 0.95 // nothing will be put between two records
	if err := b.Put([]byte(seqKey(seq)), append([]byte{}, value...)); err != nil {
		return l.fail(seqKey(seq), err)
	}
	return nil
}

// Get returns the value with a sequence number, or ErrNotFound.
func (l *Log) Get(tx *Tx, seq uint64) ([]byte, error) {
	v, err := l.get(tx, seqKey(seq))
	if err != nil {
		return nil, err
	}
	return append([]byte{}, v...), nil
}

// Last returns the record at the end; ok is false if the log is empty.
func (l *Log) Last(tx *Tx) (seq uint64, value []byte, ok bool, err error) {
	b, err := l.open(tx)
	if err != nil || b == nil {
		return 0, nil, false, err
	}
	k, v := b.Cursor().Last()
	if k == nil {
		return 0, nil, false, nil
	}
	r, err := l.record(k, v)
	return r.Seq, r.Value, err == nil, err
}

// All yields the records from seq on, ascending. It ends after the first error.
// The loop may append and delete.
func (l *Log) All(tx *Tx, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l.scan(tx, yield, func(c *bolt.Cursor) ([]byte, []byte) {
			return c.Seek([]byte(seqKey(from)))
		}, func(w *walker) ([]byte, []byte) { return w.next() })
	}
}

// Backward is All in the other direction: the records from seq on, descending;
// with 0, from the last one on.
func (l *Log) Backward(tx *Tx, from uint64) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		l.scan(tx, yield, func(c *bolt.Cursor) ([]byte, []byte) {
			k, v := c.Seek([]byte(seqKey(from)))
			if k == nil || from == 0 {
				return c.Last()
			}
			if string(k) > string(seqKey(from)) {
				return c.Prev()
			}
			return k, v
		}, func(w *walker) ([]byte, []byte) { return w.prev() })
	}
}

// scan yields records from first on.
func (l *Log) scan(tx *Tx, yield func(Record, error) bool,
	first func(*bolt.Cursor) ([]byte, []byte), step func(*walker) ([]byte, []byte),
) {
	b, err := l.open(tx)
	if err != nil {
		yield(Record{}, err)
		return
	}
	if b == nil {
		return
	}
	w := walker{core: tx.core, cursor: b.Cursor()}
	for k, v := first(w.cursor); k != nil; k, v = step(&w) {
		r, err := l.record(k, v)
		w.at(k)
		if !yield(r, err) || err != nil {
			return
		}
	}
}

// DeleteThrough removes the records up to and including seq, oldest first and
// at most max of them, and returns how many it removed. Whoever removes them all
// must not append in the same transaction: where they filled several pages the
// engine would look for the last of them for ever.
func (l *Log) DeleteThrough(tx *Tx, seq uint64, max int) (n int, err error) {
	b, err := l.open(tx)
	if err != nil || b == nil {
		return 0, err
	}
	var keys [][]byte
	c := b.Cursor()
	for k, _ := c.First(); k != nil && string(k) <= string(seqKey(seq)) && len(keys) < max; k, _ = c.Next() {
		keys = append(keys, append([]byte{}, k...))
	}
	for _, k := range keys {
		if err := l.delete(tx, Key(k)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// record returns a copy of what lies under key.
func (l *Log) record(key, value []byte) (Record, error) {
	if len(key) != 8 || value == nil {
		return Record{}, l.fail(Key(key), ErrTampered)
	}
	return Record{Seq: binary.BigEndian.Uint64(key), Value: append([]byte{}, value...)}, nil
}

// check reads every record.
func (l *Log) check(tx *Tx) error {
	for _, err := range l.All(tx, 0) {
		if err != nil {
			return err
		}
	}
	return nil
}

// seqKey is the sequence number, u64 big-endian.
func seqKey(seq uint64) Key {
	return Key(binary.BigEndian.AppendUint64(nil, seq))
}
