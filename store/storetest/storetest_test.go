package storetest_test

import (
	"bytes"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

type item struct {
	ID string `cbor:"1,keyasint"`
}

func (i item) Key() store.Key { return store.Key(i.ID) }

var items = store.Rows[item]("item")

func put(t *testing.T, db *store.DB) {
	t.Helper()
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return items.Put(tx, item{"a"}) }); err != nil {
		t.Fatal(err)
	}
}

func TestNew(t *testing.T) {
	put(t, storetest.New(t))
	synctest.Test(t, func(t *testing.T) { put(t, storetest.New(t)) })
}

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.db")
	for range 2 {
		db := storetest.Open(t, path)
		db.SetMAC(storetest.MAC{})
		put(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A failer is a test that notes that it failed.
type failer struct {
	testing.TB
	failed  bool
	cleanup []func()
}

func (f *failer) Errorf(string, ...any) { f.failed = true }
func (f *failer) Cleanup(fn func())     { f.cleanup = append(f.cleanup, fn) }

// The end of a test finds what is wrong with its store.
func TestInconsistent(t *testing.T) {
	f := &failer{TB: t}
	db := storetest.New(f)
	put(t, db)
	db.SetMAC(other{})
	for _, fn := range f.cleanup {
		fn()
	}
	if !f.failed {
		t.Error("rows with wrong tags went unnoticed")
	}
}

type other struct{}

func (other) RowTag(string, []byte, []byte) (tag [32]byte) { return tag }

func TestMAC(t *testing.T) {
	tags := map[[32]byte]bool{}
	for _, parts := range [][3]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "", ""}} {
		tag := storetest.MAC{}.RowTag(parts[0], []byte(parts[1]), []byte(parts[2]))
		again := storetest.MAC{}.RowTag(parts[0], []byte(parts[1]), []byte(parts[2]))
		if tags[tag] || !bytes.Equal(tag[:], again[:]) {
			t.Errorf("tag of %q", parts)
		}
		tags[tag] = true
	}
}
