package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// reserved opens a database with a reserve of 2 MiB.
func reserved(t *testing.T, dir string) *store.DB {
	t.Helper()
	db, err := store.Open(store.Options{Path: filepath.Join(dir, "vault.db"), Reserve: 2 << 20, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	db.SetMAC(storetest.MAC{})
	return db
}

// taken returns how many bytes of the disk the reserve takes up, and its length.
func taken(t *testing.T, dir string) (blocks, length int64) {
	t.Helper()
	var s unix.Stat_t
	if err := unix.Stat(filepath.Join(dir, "vault.db.reserve"), &s); err != nil {
		t.Fatal(err)
	}
	if s.Mode&0o777 != 0o600 {
		t.Errorf("mode %o", s.Mode)
	}
	return s.Blocks * 512, s.Size
}

// cram fills what room there is with a file.
func cram(t *testing.T, dir string) (remove func()) {
	t.Helper()
	path := filepath.Join(dir, "cram")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; size /= 2 {
		for {
			if _, err := f.Write(make([]byte, size)); err != nil {
				break
			}
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

func put(db *store.DB, id string, share store.Share) error {
	return db.Update(context.Background(), func(tx *store.Tx) error {
		tx.UseReserve(share)
		return people.Put(tx, person{ID: id, Note: make([]byte, 5_000)})
	})
}

// A database that was closed on a full disk opens there, with its reserve.
func TestReserveOpensOnFullDisk(t *testing.T) {
	dir := need.SmallDisk(t, "16m")
	db := reserved(t, dir)
	if err := put(db, "before", 0); err != nil {
		t.Fatal(err)
	}
	cram(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	cram(t, dir) // what closing gave back
	db = reserved(t, dir)
	if _, length := taken(t, dir); length != 2<<20 {
		t.Errorf("%d bytes are left", length)
	}
	if err := put(db, "recorded", store.Whole); err != nil {
		t.Error(err)
	}
}

// On a full disk goes what may use the reserve: half of it for some, all of it
// for others, and nothing else, until there is room again.
func TestReserve(t *testing.T) {
	dir := need.SmallDisk(t, "16m")
	db := reserved(t, dir)
	if blocks, length := taken(t, dir); blocks < 2<<20 || length != 2<<20 {
		t.Fatalf("%d bytes of blocks, length %d", blocks, length)
	}
	if err := put(db, "before", 0); err != nil {
		t.Fatal(err)
	}
	remove := cram(t, dir)
	count := func(share store.Share) (n int) {
		for ; n < 1000; n++ {
			err := put(db, fmt.Sprintf("%d-%d", share, n), share)
			if errors.Is(err, store.ErrFull) {
				return n
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		t.Fatal("the disk is not full")
		return 0
	}
	if n := count(0); n > 300 {
		t.Errorf("%d rows fit on a full disk", n)
	}
	half := count(store.Half)
	if _, length := taken(t, dir); half < 5 || length != 1<<20 || db.Stats().Reserve != length {
		t.Errorf("%d rows, %d bytes are left", half, length)
	}
	if n := count(0); n != 0 {
		t.Errorf("%d rows beside the reserve", n)
	}
	whole := count(store.Whole)
	if _, length := taken(t, dir); whole < 5 || length != 0 {
		t.Errorf("%d rows more, %d bytes are left", whole, length)
	}
	// What writes nothing goes on, and what is refused is refused.
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	if err := db.Update(t.Context(), func(*store.Tx) error { return errors.ErrUnsupported }); !errors.Is(err, errors.ErrUnsupported) {
		t.Error(err)
	}
	remove()
	for deadline := time.Now().Add(30 * time.Second); ; {
		err := put(db, "after", 0)
		if err == nil {
			break
		}
		if !errors.Is(err, store.ErrFull) || time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if blocks, length := taken(t, dir); blocks < 2<<20 || length != 2<<20 {
		t.Errorf("restored: %d bytes of blocks, length %d", blocks, length)
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

// Those that may and those that may not come together: each gets its answer.
func TestReserveInOneBatch(t *testing.T) {
	dir := need.SmallDisk(t, "16m")
	db := reserved(t, dir)
	cram(t, dir)
	for put(db, "fill", 0) == nil {
	}
	errs := make(chan error, 64)
	for i := range cap(errs) {
		go func() {
			err := put(db, fmt.Sprint("batch-", i), store.Share(i%2)*store.Whole)
			if (err == nil) == (i%2 == 0) || err != nil && !errors.Is(err, store.ErrFull) {
				err = fmt.Errorf("update %d: %w", i, errors.Join(err, errors.ErrUnsupported))
			} else {
				err = nil
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// A start on a full disk finds what is left, and goes on as before.
func TestReserveAfterRestart(t *testing.T) {
	dir := need.SmallDisk(t, "16m")
	db := reserved(t, dir)
	remove := cram(t, dir)
	for put(db, "fill", 0) == nil {
	}
	if err := put(db, "first", store.Whole); err != nil {
		t.Fatal(err)
	}
	_, before := taken(t, dir)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = reserved(t, dir)
	if _, after := taken(t, dir); after > before || after == 0 {
		t.Errorf("%d bytes were left, and are %d", before, after)
	}
	if err := put(db, "ordinary", 0); !errors.Is(err, store.ErrFull) {
		t.Errorf("got %v", err)
	}
	if err := put(db, "second", store.Whole); err != nil {
		t.Error(err)
	}
	remove()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = reserved(t, dir)
	if _, length := taken(t, dir); length != 2<<20 {
		t.Errorf("%d bytes", length)
	}
	if err := put(db, "ordinary", 0); err != nil {
		t.Error(err)
	}
}

// Without room for it there is none, and everything works as without.
func TestNoRoomForReserve(t *testing.T) {
	dir := need.SmallDisk(t, "16m")
	db, err := store.Open(store.Options{Path: filepath.Join(dir, "vault.db"), Reserve: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMAC(storetest.MAC{})
	if err := put(db, "a", 0); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "vault.db.reserve")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("left behind: %v", err)
	}
}

// A reserve that has a length and no blocks is made good, one that is too large
// is cut, one that is not wanted goes, and what is none is refused.
func TestReserveFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vault.db.reserve")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 2<<20); err != nil {
		t.Fatal(err)
	}
	reserved(t, dir).Close()
	if blocks, length := taken(t, dir); blocks < 2<<20 || length != 2<<20 {
		t.Errorf("%d bytes of blocks, length %d", blocks, length)
	}
	if err := os.WriteFile(path, make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	reserved(t, dir).Close()
	if _, length := taken(t, dir); length != 2<<20 {
		t.Errorf("length %d", length)
	}
	storetest.Open(t, filepath.Join(dir, "vault.db")).Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("not wanted, and there: %v", err)
	}
	if err := os.Symlink(filepath.Join(dir, "vault.db"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(store.Options{Path: filepath.Join(dir, "vault.db"), Reserve: 2 << 20}); err == nil {
		t.Error("opened through a symbolic link")
	}
}
