package store

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"
)

func TestMigrate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	if created, err := create(path); err != nil || !created {
		t.Fatal(created, err)
	}
	engine, err := bolt.Open(path, fileMode, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	var done []string
	step := func(name string) func(*bolt.Tx) error {
		return func(tx *bolt.Tx) error {
			done = append(done, name)
			_, err := tx.CreateBucket([]byte(name))
			return err
		}
	}
	version := func() uint32 {
		v, err := schema(engine)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	oops := errors.New("oops")
	steps := []func(*bolt.Tx) error{step("a"), step("b"), func(*bolt.Tx) error { return oops }}
	if err := migrate(engine, steps); !errors.Is(err, oops) || version() != 1 {
		t.Errorf("a step that fails: %v, version %d", err, version())
	}
	done = nil
	if err := migrate(engine, steps[:1]); err != nil || version() != 2 { // a is there only if it was rolled back
		t.Errorf("%v, version %d", err, version())
	}
	for range 2 {
		if err := migrate(engine, steps[:2]); err != nil || version() != 3 {
			t.Errorf("%v, version %d", err, version())
		}
	}
	if len(done) != 2 || done[1] != "b" {
		t.Errorf("steps done: %v", done)
	}
	if err := migrate(engine, steps[:1]); !errors.Is(err, ErrNewer) {
		t.Errorf("an older program: %v", err)
	}
	if err := checkSchema(engine); !errors.Is(err, ErrNewer) {
		t.Errorf("a reading older program: %v", err)
	}
}

// The list of free pages is in the file after Close, and not after a commit.
func TestSettled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	settled := func() bool {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h, err := readHeader(f)
		if err != nil {
			t.Fatal(err)
		}
		return h.settled()
	}
	for range 3 {
		db := openTemp(t, Options{Path: path})
		if err := db.Close(); err != nil || !settled() {
			t.Errorf("after nothing: %v", err)
		}
		db = openTemp(t, Options{Path: path})
		for range 10 {
			if err := db.Update(t.Context(), func(tx *Tx) error { return items.Put(tx, item{"a"}) }); err != nil {
				t.Fatal(err)
			}
			if settled() {
				t.Error("a commit wrote the list")
			}
		}
		if err := db.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil || !settled() {
			t.Errorf("after commits: %v", err)
		}
	}
}
