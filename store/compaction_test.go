package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// A scribe inserts, changes and deletes rows of its own, and knows what has to be
// there.
type scribe struct {
	name string
	has  map[string]string // id → team
	n    int
}

// write does the next thing to the rows: each is inserted, moved to another team,
// and most are deleted.
func (w *scribe) write(db *store.DB) error {
	id, team := fmt.Sprintf("%s-%06d", w.name, w.n), fmt.Sprint("team ", w.n%7)
	before, gone := fmt.Sprintf("%s-%06d", w.name, w.n-3), fmt.Sprintf("%s-%06d", w.name, w.n-20)
	has := maps.Clone(w.has)
	err := db.Update(context.Background(), func(tx *store.Tx) error {
		has[id] = team
		errs := []error{people.Insert(tx, person{ID: id, Mail: id, Team: team})}
		if _, ok := w.has[before]; ok {
			has[before] = "moved"
			errs = append(errs, people.Put(tx, person{ID: before, Team: "moved"}))
		}
		if _, ok := w.has[gone]; ok && w.n%5 > 0 {
			delete(has, gone)
			errs = append(errs, people.Delete(tx, store.Key(gone)))
		}
		last, _, _, err := trail.Last(tx)
		errs = append(errs, err, trail.Append(tx, last+1, []byte(id)))
		if last > 50 && w.n%2 == 0 {
			_, err := trail.DeleteThrough(tx, last-50, 5)
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	})
	w.n++
	w.has = has
	return err
}

// What is written, changed and deleted while the file is compacted is as it should
// be afterwards, also in a bucket that was begun meanwhile; what was overwritten
// before is gone.
func TestCompactFollowsUpdates(t *testing.T) {
	db := storetest.New(t)
	old := strings.Repeat("what was there before ", 20)
	writePages(t, db, 8000, old)
	writePages(t, db, 8000, strings.Repeat("what is there now ", 20))
	var wg sync.WaitGroup
	scribes := make([]scribe, 4)
	stop := make(chan struct{})
	for i := range scribes {
		w := &scribes[i]
		w.name, w.has = fmt.Sprint("scribe", i), map[string]string{}
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := w.write(db); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		before := db.Stats().Updates
		if err := db.Compact(t.Context()); err != nil {
			t.Error(err)
		}
		if during := db.Stats().Updates - before; during < 3 {
			t.Errorf("%d updates while it was compacted", during)
		}
	}
	close(stop)
	wg.Wait()
	if on, err := os.ReadFile(db.Path()); err != nil || bytes.Contains(on, []byte(old)) {
		t.Errorf("the old text is still in the file (%v)", err)
	}
	view(t, db, func(tx *store.Tx) error {
		has := map[string]string{}
		for p, err := range people.All(tx, "") {
			if err != nil {
				return err
			}
			has[p.ID] = p.Team
		}
		want, written := map[string]string{}, 0
		for _, w := range scribes {
			maps.Copy(want, w.has)
			written += w.n
		}
		if !maps.Equal(has, want) {
			t.Errorf("%d rows, want %d", len(has), len(want))
		}
		next := uint64(0)
		for r, err := range trail.All(tx, 0) {
			if err != nil || next != 0 && r.Seq != next {
				return fmt.Errorf("record %d, want %d: %w", r.Seq, next, err)
			}
			next = r.Seq + 1
		}
		if next != uint64(written)+1 {
			t.Errorf("the last record is %d, want %d", next-1, written)
		}
		return nil
	})
}

// Whatever the engine can hold is in the new file as it was in the old one.
func TestCompactCopiesEverything(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	if err := storetest.Open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	var before []string
	withEngine(t, path, func(tx *bolt.Tx) error {
		for b := range 5 {
			bucket, err := tx.CreateBucketIfNotExists(fmt.Appendf(nil, "bucket %d", b))
			if err != nil {
				return err
			}
			inner, err := bucket.CreateBucket([]byte("within"))
			if err != nil {
				return err
			}
			innermost, err := inner.CreateBucket([]byte("and within"))
			if err != nil {
				return err
			}
			for _, err := range []error{bucket.SetSequence(uint64(b)), inner.SetSequence(7), innermost.SetSequence(8)} {
				if err != nil {
					return err
				}
			}
			for i := range 900 * b {
				if err := errors.Join(bucket.Put(fmt.Appendf(nil, "%09d", i), make([]byte, i)), innermost.Put(fmt.Appendf(nil, "key %d", i), nil)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	withEngine(t, path, func(tx *bolt.Tx) error { before = everything(tx.Cursor().Bucket(), ""); return nil })
	db := storetest.Open(t, path)
	if err := errors.Join(db.Compact(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
	withEngine(t, path, func(tx *bolt.Tx) error {
		if after := everything(tx.Cursor().Bucket(), ""); !slices.Equal(before, after) {
			t.Errorf("%d places, and %d before", len(after), len(before))
		}
		return nil
	})
}

func withEngine(t *testing.T, path string, fn func(*bolt.Tx) error) {
	t.Helper()
	engine, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(engine.Update(fn), engine.Close()); err != nil {
		t.Fatal(err)
	}
}

// everything lists what is in a bucket.
func everything(b *bolt.Bucket, name string) []string {
	all := []string{fmt.Sprintf("%s sequence %d", name, b.Sequence())}
	_ = b.ForEach(func(k, v []byte) error {
		if v == nil {
			all = append(all, everything(b.Bucket(k), fmt.Sprintf("%s/%s", name, k))...)
		} else {
			all = append(all, fmt.Sprintf("%s/%s=%x", name, k, v))
		}
		return nil
	})
	return all
}

// A compaction that is called off, or that the end of the DB meets, leaves the file
// as it was and nothing beside it.
func TestCompactIsCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	db := storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	writePages(t, db, 8000, strings.Repeat("text ", 100))
	nothingBeside := func() {
		t.Helper()
		if left, err := filepath.Glob(path + ".compact*"); err != nil || left != nil {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut := make(chan error, 1)
	go func() { cut <- db.Compact(ctx) }()
	begun(t, path)
	cancel()
	if err := <-cut; !errors.Is(err, context.Canceled) {
		t.Errorf("called off: %v", err)
	}
	nothingBeside()
	writePages(t, db, 1, "changed")
	go func() { cut <- db.Compact(context.Background()) }()
	begun(t, path)
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	nothingBeside()
	if err := <-cut; !errors.Is(err, store.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	db = storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	view(t, db, func(tx *store.Tx) error {
		if all, err := collect(pages.All(tx, "")); err != nil || len(all) != 8000 || all[0].Text != "changed" {
			t.Errorf("%d rows, %v", len(all), err)
		}
		return nil
	})
}

// begun waits until a compaction has written something.
func begun(t *testing.T, path string) {
	t.Helper()
	for t.Context().Err() == nil {
		if info, err := os.Stat(path + ".compact"); err == nil && info.Size() > 1<<20 {
			return
		}
	}
}
