package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

func TestDiskFull(t *testing.T) {
	dir := need.SmallDisk(t, "6m")
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	db := storetest.Open(t, filepath.Join(dir, "vault.db"))
	db.SetMAC(storetest.MAC{})
	n, err := fill(db)
	if !errors.Is(err, store.ErrFull) || !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("after %d rows: %v", n, err)
	}
	wantRows(t, db, n)
	// Where several rows at once found no room, one may.
	again, err := fill(db)
	if again > 10 || !errors.Is(err, store.ErrFull) {
		t.Errorf("%d more rows: %v", again, err)
	}
	// Updates that fit go on, and so does everything once there is room.
	for range 20 {
		err := db.Update(t.Context(), func(tx *store.Tx) error { return notes.Put(tx, note{ID: "small"}) })
		if err != nil && !errors.Is(err, store.ErrFull) {
			t.Fatal(err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	more, err := fill(db)
	if more == 0 || !errors.Is(err, store.ErrFull) {
		t.Errorf("with room again: %d rows, %v", more, err)
	}
	wantRows(t, db, n+again+more)
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// No disk to begin with: nothing is left behind but the lock file.
func TestDiskFullAtFirst(t *testing.T) {
	dir := need.SmallDisk(t, "64k")
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 60<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "vault.db")
	if _, err := store.Open(store.Options{Path: path}); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v", err)
	}
	names, err := filepath.Glob(filepath.Join(dir, "vault.db*"))
	if err != nil || len(names) > 1 {
		t.Errorf("left behind: %v, %v", names, err)
	}
}

// Where there is no room for a second file, a compaction changes nothing.
func TestCompactOnFullDisk(t *testing.T) {
	path := filepath.Join(need.SmallDisk(t, "66m"), "vault.db")
	db := storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	writePages(t, db, 8000, strings.Repeat("text ", 100))
	if err := db.Compact(t.Context()); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v", err)
	}
	if left, err := filepath.Glob(path + ".compact*"); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	writePages(t, db, 1, "more")
}
