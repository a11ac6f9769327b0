package store_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// fill inserts rows from a few writers until there is no room, and returns how
// many were acknowledged, and the error.
func fill(db *store.DB) (n int, err error) {
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				e := db.Update(context.Background(), insertNext)
				mu.Lock()
				if e != nil {
					err = e
					mu.Unlock()
					return
				}
				n++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return n, err
}

// insertNext inserts a row of 10 kB, under the next number, and counts it.
func insertNext(tx *store.Tx) error {
	last, _, _, err := trail.Last(tx)
	if err != nil {
		return err
	}
	if err := trail.Append(tx, last+1, nil); err != nil {
		return err
	}
	return people.Insert(tx, person{ID: fmt.Sprint(last + 1), Note: make([]byte, 10_000)})
}

func countRows(db *store.DB) (n int, err error) {
	err = db.View(context.Background(), func(tx *store.Tx) error {
		rows, err := collect(people.All(tx, ""))
		n = len(rows)
		if err != nil {
			return err
		}
		if last, _, _, err := trail.Last(tx); err != nil || last != uint64(n) {
			return fmt.Errorf("%d rows, %d records: %w", n, last, errors.Join(err, errors.ErrUnsupported))
		}
		return nil
	})
	return n, err
}

func wantRows(t *testing.T, db *store.DB, want int) {
	t.Helper()
	if n, err := countRows(db); err != nil || n != want {
		t.Errorf("%d rows of %d, %v", n, want, err)
	}
}

// writeToLimit meets a file size limit, raises it and goes on.
func writeToLimit(path string) error {
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		return err
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 9 << 20, Max: was.Max}); err != nil {
		return err
	}
	db, err := openChild(path)
	if err != nil {
		return err
	}
	n, err := fill(db)
	if !errors.Is(err, store.ErrFull) || n == 0 {
		return fmt.Errorf("at the limit, %d rows: %w", n, err)
	}
	fmt.Println(err)
	if got, err := countRows(db); err != nil || got != n {
		return fmt.Errorf("%d rows of %d: %w", got, n, err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 17 << 20, Max: was.Max}); err != nil {
		return err
	}
	more, err := fill(db)
	if !errors.Is(err, store.ErrFull) || more == 0 {
		return fmt.Errorf("at the second limit, %d rows: %w", more, err)
	}
	if err := db.Check(context.Background()); err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	fmt.Println(n + more)
	return nil
}

// The kernel sends SIGXFSZ with EFBIG, which would end the process.
func TestFileSizeLimit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	c := startChild(t, "limit", path)
	t.Log(c.line(t))
	n := c.line(t)
	if err := c.Wait(); err != nil {
		t.Fatalf("child: %v\n%s", err, c.errs.String())
	}
	db := storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	if got, err := countRows(db); err != nil || fmt.Sprint(got) != n {
		t.Errorf("%d rows of %s, %v", got, n, err)
	}
}

// failCommit takes the file away from under the engine, so that a commit fails.
func failCommit(path string) error {
	db, err := openChild(path)
	if err != nil {
		return err
	}
	if err := closeFile(path); err != nil {
		return err
	}
	err = db.Update(context.Background(), func(tx *store.Tx) error { return notes.Put(tx, note{ID: "a"}) })
	return fmt.Errorf("still there: %w", err)
}

// closeFile closes this process's descriptor of the file.
func closeFile(path string) error {
	var want unix.Stat_t
	if err := unix.Stat(path, &want); err != nil {
		return err
	}
	for fd := range 100 {
		var got unix.Stat_t
		if unix.Fstat(fd, &got) == nil && got.Dev == want.Dev && got.Ino == want.Ino {
			return unix.Close(fd)
		}
	}
	return errors.New("no descriptor of " + path)
}

// A commit that cannot be written ends the process, unless told otherwise.
func TestFailedCommitExits(t *testing.T) {
	c := startChild(t, "fail", filepath.Join(t.TempDir(), "vault.db"))
	exit, ok := errors.AsType[*exec.ExitError](c.Wait())
	if !ok || exit.ExitCode() != 70 {
		t.Errorf("got %v\n%s", exit, c.errs.String())
	}
}
