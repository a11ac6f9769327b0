package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// writeForever has 64 writers insert rows, and writes the id of each to stdout
// once it is acknowledged.
func writeForever(path string) error {
	db, err := openChild(path)
	if err != nil {
		return err
	}
	return insertForever(db)
}

// compactForever does that while the file is compacted again and again.
func compactForever(path string) error {
	db, err := openChild(path)
	if err != nil {
		return err
	}
	compacted := make(chan error, 1)
	go func() {
		for err == nil {
			err = db.Compact(context.Background())
		}
		compacted <- err
	}()
	return errors.Join(insertForever(db), <-compacted)
}

func insertForever(db *store.DB) error {
	var next atomic.Uint64
	var wg sync.WaitGroup
	errs := make(chan error, 64)
	for range 64 {
		wg.Go(func() {
			for {
				id := fmt.Sprintf("%d-%d", os.Getpid(), next.Add(1))
				err := db.Update(context.Background(), func(tx *store.Tx) error {
					last, _, _, err := trail.Last(tx)
					if err != nil {
						return err
					}
					if err := trail.Append(tx, last+1, []byte(id)); err != nil {
						return err
					}
					return people.Insert(tx, person{ID: id, Mail: id, Team: id[len(id)-1:], Note: make([]byte, 200)})
				})
				if err == nil {
					_, err = fmt.Println(id)
				}
				if err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	return <-errs
}

// TestKill kills a writing process at moments of no particular kind and looks
// for everything it had acknowledged.
func TestKill(t *testing.T) {
	kill(t, "write", []int{700, 1400, 2100, 2800})
}

// TestKillCompacting does that while the file is compacted.
func TestKillCompacting(t *testing.T) {
	var after []int
	for i := range 20 {
		after = append(after, 150+61*i)
	}
	path := kill(t, "compact", after)
	db := storetest.Open(t, path)
	if err := db.Compact(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := filepath.Glob(path + ".compact*"); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// kill kills a child after so many rows, again and again, and looks each time for
// everything that was acknowledged. It returns the path of the database.
func kill(t *testing.T, what string, after []int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.db")
	var acknowledged []string
	for _, rows := range after {
		c := startChild(t, what, path)
		for range rows {
			acknowledged = append(acknowledged, c.line(t))
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		// What is still in the pipe was acknowledged too, but for a last line
		// cut short.
		for {
			line, err := c.out.ReadString('\n')
			if err != nil {
				break
			}
			acknowledged = append(acknowledged, strings.TrimSuffix(line, "\n"))
		}
		c.Wait()
		find(t, path, acknowledged)
	}
	t.Logf("%d acknowledged rows", len(acknowledged))
	return path
}

// find checks a database and looks for rows in it.
func find(t *testing.T, path string, ids []string) {
	t.Helper()
	db := storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	logged := map[string]bool{}
	view(t, db, func(tx *store.Tx) error {
		for r, err := range trail.All(tx, 0) {
			if err != nil {
				return err
			}
			logged[string(r.Value)] = true
		}
		for _, id := range ids {
			if _, err := people.Get(tx, store.Key(id)); err != nil || !logged[id] {
				t.Errorf("acknowledged row %s: %v, in the log %v", id, err, logged[id])
			}
		}
		return nil
	})
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
