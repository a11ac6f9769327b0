// Package storetest gives tests a real store: a file in the test's directory,
// checked for consistency when the test ends. Functions given to Update run
// twice in it, as they may anywhere: what a test expects has to hold all the
// same.
//
// In a synctest bubble, call [New] or [Open] inside the bubble.
package storetest

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/store"
)

// MAC is a [store.MAC] under a fixed key.
type MAC struct{}

var _ store.MAC = MAC{}

// RowTag returns the HMAC-SHA256 of the three parts, each behind its length.
func (MAC) RowTag(bucket string, key, value []byte) (tag [32]byte) {
	h := macs.Get().(hash.Hash)
	defer macs.Put(h)
	h.Reset()
	b := make([]byte, 0, 12+len(bucket)+len(key)+len(value))
	for _, part := range [][]byte{[]byte(bucket), key, value} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	h.Write(b)
	h.Sum(tag[:0])
	return tag
}

// macs are reused, because to key one takes longer than to use it.
var macs = sync.Pool{New: func() any { return hmac.New(sha256.New, []byte("storetest row key")) }}

// New returns a new store whose rows are tagged by [MAC]. When the test ends it
// is checked, with every row and index entry in it, and closed.
func New(t testing.TB) *store.DB {
	t.Helper()
	return tagged(Open(t, file(t)))
}

// Once is New for a test of how often a function runs.
func Once(t testing.TB) *store.DB {
	t.Helper()
	return tagged(open(t, store.Options{Path: file(t)}))
}

// Open opens the store at path, or makes one, and leaves it sealed. When the
// test ends it is checked, as far as it can be without a MAC, and closed. A
// test may close it earlier, after which nothing is checked.
func Open(t testing.TB, path string) *store.DB {
	t.Helper()
	_, measured := t.(*testing.B)
	return open(t, store.Options{Path: path, TestOnlyTwice: !measured})
}

func file(t testing.TB) string { return filepath.Join(t.TempDir(), "store.db") }

func tagged(db *store.DB) *store.DB {
	db.SetMAC(MAC{})
	return db
}

func open(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	o.Fatal = func(err error) { t.Errorf("store: %v", err) }
	db, err := store.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Check(context.Background()); err != nil && !isClosed(err) {
			t.Errorf("store is inconsistent: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closing store: %v", err)
		}
	})
	return db
}

func isClosed(err error) bool { return errors.Is(err, store.ErrClosed) }
