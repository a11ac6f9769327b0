package store_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

var blobs = store.NewPlain("blob")

func putBlobs(t *testing.T, db *store.DB, keys ...store.Key) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for _, k := range keys {
			if err := blobs.Put(tx, k, []byte("value of "+k)); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestPlain(t *testing.T) {
	db := storetest.Open(t, filepath.Join(t.TempDir(), "vault.db")) // sealed
	view(t, db, func(tx *store.Tx) error {
		if _, err := blobs.Get(tx, "a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("before there is any: %v", err)
		}
		return nil
	})
	putBlobs(t, db, "c", "a", "b")
	update(t, db, func(tx *store.Tx) error {
		if err := blobs.Put(tx, "", nil); err == nil {
			t.Error("takes the empty key")
		}
		if err := blobs.Put(tx, "long", make([]byte, 5<<20)); !errors.Is(err, store.ErrTooLarge) {
			t.Errorf("5 MiB: %v", err)
		}
		return errors.Join(blobs.Delete(tx, "b"), blobs.Delete(tx, "never there"))
	})
	view(t, db, func(tx *store.Tx) error {
		if v, err := blobs.Get(tx, "a"); err != nil || string(v) != "value of a" {
			t.Errorf("%q, %v", v, err)
		}
		if got := blobKeys(t, tx, ""); !slices.Equal(got, []string{"a", "c"}) {
			t.Errorf("all: %v", got)
		}
		if got := blobKeys(t, tx, "a"); !slices.Equal(got, []string{"c"}) {
			t.Errorf("behind a: %v", got)
		}
		if err := blobs.Put(tx, "a", nil); !errors.Is(err, store.ErrReadOnly) {
			t.Errorf("in a view: %v", err)
		}
		return nil
	})
}

func blobKeys(t *testing.T, tx *store.Tx, after store.Key) (keys []string) {
	t.Helper()
	for e, err := range blobs.From(tx, after) {
		if err != nil || string(e.Value) != "value of "+string(e.Key) {
			t.Errorf("%q: %q, %v", e.Key, e.Value, err)
		}
		keys = append(keys, string(e.Key))
	}
	return keys
}

// Only what is still as it was is swapped.
func TestPlainSwap(t *testing.T) {
	db := storetest.New(t)
	swap := func(keys ...store.Key) (n int) {
		t.Helper()
		var all []store.Swap
		for _, k := range keys {
			all = append(all, store.Swap{Key: k, Old: []byte("value of " + k), New: []byte("new " + k)})
		}
		update(t, db, func(tx *store.Tx) (err error) {
			n, err = blobs.Swap(tx, all)
			return err
		})
		return n
	}
	if n := swap("a"); n != 0 {
		t.Errorf("%d swapped where nothing is", n)
	}
	putBlobs(t, db, "a", "b", "d", "e", "f", "h")
	update(t, db, func(tx *store.Tx) error {
		return errors.Join(blobs.Put(tx, "b", []byte("changed")), blobs.Delete(tx, "d"), blobs.Put(tx, "g", []byte("another")))
	})
	if n := swap(); n != 0 {
		t.Errorf("%d of none swapped", n)
	}
	if n := swap("a", "b", "c", "d", "e", "h", "i"); n != 3 {
		t.Errorf("%d swapped", n)
	}
	var got []string
	view(t, db, func(tx *store.Tx) error {
		for e, err := range blobs.From(tx, "") {
			if err != nil {
				return err
			}
			got = append(got, string(e.Value))
		}
		return nil
	})
	if want := "new a,changed,new e,value of f,another,new h"; strings.Join(got, ",") != want {
		t.Errorf("%q", got)
	}
}
