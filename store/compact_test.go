package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

type pageRow struct {
	Name string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

func (r pageRow) Key() store.Key { return store.Key(r.Name) }

var pages = store.Rows[pageRow]("compact_page")

func writePages(t *testing.T, db *store.DB, n int, text string) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range n {
			if err := pages.Put(tx, pageRow{fmt.Sprintf("%06d", i), text}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// What was overwritten is on no page of the file afterwards, what stands is, and
// the file can be used on, and opened again.
func TestCompact(t *testing.T) {
	db := storetest.New(t)
	const old = "what was there before and must not stay"
	writePages(t, db, 2000, old)
	writePages(t, db, 2000, "new")
	if on, _ := os.ReadFile(db.Path()); !bytes.Contains(on, []byte(old)) {
		t.Fatal("freed pages keep nothing: there is nothing to compact")
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	on, err := os.ReadFile(db.Path())
	if err != nil || bytes.Contains(on, []byte(old)) {
		t.Errorf("the old text is still in the file (%v)", err)
	}
	if info, err := os.Stat(db.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(db.Path() + ".compact"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the copy is still there: %v", err)
	}
	writePages(t, db, 1, "newer")
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	var inUse *store.InUseError
	if _, err := store.Open(store.Options{Path: db.Path()}); !errors.As(err, &inUse) {
		t.Errorf("a second one: %v", err)
	}
	if _, err := store.Open(store.Options{Path: db.Path(), ReadOnly: true}); !errors.As(err, &inUse) {
		t.Errorf("a reader: %v", err)
	}
}

// A view that reads the old file goes on reading it, and says that what it saw
// has changed; others see the new one. Updates lose nothing.
func TestCompactBesideOthers(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 500, "text")
	before, err := os.Stat(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	reading, compacted := make(chan struct{}), make(chan error, 1)
	var snapshot store.Snapshot
	var wg sync.WaitGroup
	wg.Go(func() {
		err := db.View(context.Background(), func(tx *store.Tx) error {
			snapshot = tx.Snapshot()
			close(reading)
			n := 0
			for _, err := range pages.All(tx, "") {
				if err != nil {
					return err
				}
				for n++; n == 250; runtime.Gosched() { // in the middle, until the new file is there
					if now, err := os.Stat(db.Path()); err != nil || !os.SameFile(before, now) {
						break
					}
				}
			}
			if n != 500 {
				return fmt.Errorf("saw %d rows", n)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-reading
	go func() { compacted <- db.Compact(context.Background()) }()
	for i := range 64 {
		wg.Go(func() {
			err := db.Update(context.Background(), func(tx *store.Tx) error {
				return pages.Insert(tx, pageRow{fmt.Sprintf("written-%d", i), "beside"})
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := <-compacted; err != nil {
		t.Fatal(err)
	}
	err = db.View(t.Context(), func(tx *store.Tx) error {
		if !tx.Changed(snapshot, pages) {
			t.Error("a snapshot of the old file passes for one of the new")
		}
		if tx.Changed(tx.Snapshot(), pages) {
			t.Error("nothing changed since just now")
		}
		n := 0
		for _, err := range pages.All(tx, "written-0") {
			if err != nil {
				return err
			}
			n++
		}
		for r, err := range pages.All(tx, "") {
			if err != nil {
				return err
			}
			if strings.HasPrefix(r.Name, "written-") {
				n++
			}
		}
		if n != 65 {
			t.Errorf("%d of 64 updates are there", n-1)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCompactRefuses(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 10, "text")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.Compact(gone); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := os.WriteFile(db.Path()+".compact", []byte("of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); !errors.Is(err, store.ErrForeign) {
		t.Error(err)
	}
	if err := os.WriteFile(db.Path()+".compact", make([]byte, 5000), 0o600); err != nil { // left behind by a crash
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Compact(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Error(err)
	}
	reader, err := store.Open(store.Options{Path: db.Path(), ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := reader.Compact(t.Context()); !errors.Is(err, store.ErrReadOnly) {
		t.Error(err)
	}
}

// A row in another encryption is no change of what it says.
func TestReseal(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 3, "text")
	var before store.Snapshot
	err := db.View(t.Context(), func(tx *store.Tx) error { before = tx.Snapshot(); return nil })
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error { return pages.Reseal(tx, pageRow{"000001", "txet"}) })
	if err != nil {
		t.Fatal(err)
	}
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		if tx.Changed(before, pages) {
			t.Error("it counts as a change")
		}
		if r, err := pages.Get(tx, "000001"); err != nil || r.Text != "txet" {
			t.Errorf("%+v, %v", r, err)
		}
		if err := pages.Put(tx, pageRow{"000002", "other"}); err != nil {
			return err
		}
		if err := pages.Reseal(tx, pageRow{"000001", "text"}); err != nil {
			return err
		}
		if !tx.Changed(before, pages) {
			t.Error("it hides a change")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
