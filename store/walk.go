package store

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// walk yields, in key order, what is within prefix and after a key, until yield
// returns false. Keys and bodies are only good until yield returns or writes.
// An error is yielded last.
//
// While it yields, the transaction may write what it likes: the walk goes on at
// the next key there then is.
func (t *table) walk(tx *Tx, prefix, after Key, yield func(key, body []byte, err error) bool) {
	b, err := t.open(tx)
	if err != nil {
		yield(nil, nil, err)
		return
	}
	if b == nil {
		return
	}
	w := walker{core: tx.core, cursor: b.Cursor()}
	for k, v := w.start(prefix, after); k != nil && within(k, prefix); k, v = w.next() {
		body, err := t.body(tx, k, v)
		w.at(k)
		if !yield(k, body, err) || err != nil {
			return
		}
	}
}

// A walker is a cursor that survives writes.
type walker struct {
	core   *core
	cursor *bolt.Cursor
	last   []byte // the key it stands on; kept only where there may be writes
	writes int    // core.writes when it came there
}

// start finds the first key in prefix after a key.
func (w *walker) start(prefix, after Key) (k, v []byte) {
	if after < prefix {
		return w.cursor.Seek([]byte(prefix))
	}
	k, v = w.cursor.Seek([]byte(after))
	if after != "" && string(k) == string(after) {
		return w.cursor.Next()
	}
	return k, v
}

// at notes that the walker stands on k.
func (w *walker) at(k []byte) {
	if w.core.engine.Writable() {
		w.last, w.writes = append(w.last[:0], k...), w.core.writes
	}
}

// next moves on. After a write the engine's cursor is lost and seeks anew.
func (w *walker) next() (k, v []byte) {
	if w.core.writes == w.writes {
		return w.cursor.Next()
	}
	k, v = w.cursor.Seek(w.last)
	if bytes.Equal(k, w.last) {
		return w.cursor.Next()
	}
	return k, v
}

// prev moves back, as next moves on.
func (w *walker) prev() (k, v []byte) {
	if w.core.writes == w.writes {
		return w.cursor.Prev()
	}
	if k, _ = w.cursor.Seek(w.last); k == nil {
		return w.cursor.Last() // everything from here on was deleted
	}
	return w.cursor.Prev()
}
