package store

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

type item struct {
	ID string `cbor:"1,keyasint"`
}

func (i item) Key() Key { return Key(i.ID) }

var items = Clear[item]("item")

func openTemp(t *testing.T, o Options) *DB {
	t.Helper()
	if o.Path == "" {
		o.Path = filepath.Join(t.TempDir(), "store.db")
	}
	db, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// After a commit that failed nothing is to be had from the DB any more.
func TestFailedCommit(t *testing.T) {
	var fatal []error
	db := openTemp(t, Options{Fatal: func(err error) { fatal = append(fatal, err) }})
	put := func() error {
		return db.Update(t.Context(), func(tx *Tx) error { return items.Put(tx, item{"a"}) })
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	if err := db.engine.Load().file.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := put(); !errors.Is(err, ErrFailed) {
			t.Errorf("update: %v", err)
		}
		if err := db.View(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrFailed) {
			t.Errorf("view: %v", err)
		}
		if err := db.Check(t.Context()); !errors.Is(err, ErrFailed) {
			t.Errorf("check: %v", err)
		}
	}
	if len(fatal) != 1 || !errors.Is(fatal[0], ErrFailed) {
		t.Errorf("Fatal was called with %v", fatal)
	}
}

// A lack of room is only harmless while the old state stands.
func TestUncommitted(t *testing.T) {
	for name, c := range map[string]struct {
		err  error
		seen bool // the commit can be seen
		want error
	}{
		"no space":                 {err: syscall.ENOSPC, want: ErrFull},
		"no quota":                 {err: syscall.EDQUOT, want: ErrFull},
		"file too large":           {err: syscall.EFBIG, want: ErrFull},
		"input/output error":       {err: syscall.EIO, want: ErrFailed},
		"unknown":                  {err: errors.New("unknown"), want: ErrFailed},
		"no space, yet written":    {err: syscall.ENOSPC, seen: true, want: ErrFailed},
		"growing fails, yet there": {err: errors.New("unknown"), seen: true, want: ErrFailed},
	} {
		db := openTemp(t, Options{Fatal: func(error) {}})
		if err := db.Update(t.Context(), func(tx *Tx) error { return items.Put(tx, item{"a"}) }); err != nil {
			t.Fatal(err)
		}
		tx, err := db.engine.Load().Begin(false)
		if err != nil {
			t.Fatal(err)
		}
		next := tx.ID() + 1
		tx.Rollback()
		if c.seen {
			next--
		}
		if err := db.uncommitted(db.engine.Load(), c.err, next, &core{}); !errors.Is(err, c.want) || !errors.Is(err, c.err) {
			t.Errorf("%s: got %v", name, err)
		}
		if failed := db.failure() != nil; failed != (c.want == ErrFailed) {
			t.Errorf("%s: failed %v", name, failed)
		}
	}
}

// An update whose context ended just before the committer came to it is
// answered with that, and nobody waits for its caller longer than for others.
func TestCancelledLate(t *testing.T) {
	db := openTemp(t, Options{})
	late := newUpdate(func(*Tx) error { return errors.New("ran") }, func() error { return context.Canceled })
	if err := db.commits.add(late); err != nil {
		t.Fatal(err)
	}
	<-late.done
	db.commits.returned()
	if err := late.result(); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	if err := db.Update(t.Context(), func(tx *Tx) error { return items.Put(tx, item{"a"}) }); err != nil {
		t.Error(err)
	}
	if n := db.commits.returning; n != 0 {
		t.Errorf("waiting for %d callers", n)
	}
}

// Check finds pages that got lost.
func TestCheckPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	db := openTemp(t, Options{Path: path})
	for range 5 {
		if err := db.Update(t.Context(), func(tx *Tx) error { return items.Put(tx, item{"a"}) }); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(db.Check(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	if err := db.Check(t.Context()); err != ErrClosed {
		t.Errorf("closed: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	page := binary.LittleEndian.Uint32(b[metaOffset+8:])
	meta := metaOffset // of the newer transaction
	if le := binary.LittleEndian; le.Uint64(b[meta+48:]) < le.Uint64(b[int(page)+meta+48:]) {
		meta += int(page)
	}
	list := binary.LittleEndian.Uint64(b[meta+32:]) * uint64(page)
	clear(b[list+10 : list+12]) // how many pages are free
	if err := os.WriteFile(path, b, fileMode); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		db := openTemp(t, Options{Path: path, ReadOnly: readOnly})
		if err := db.Check(t.Context()); !errors.Is(err, ErrDamaged) {
			t.Errorf("read-only %v: %v", readOnly, err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
