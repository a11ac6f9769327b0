package store_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// The old file is there for as long as a view reads it, which nobody else waits
// for; then it is gone.
func TestCompactLetsGoOfTheOldFile(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 100, "text")
	compacted := make(chan error, 1)
	err := db.View(t.Context(), func(tx *store.Tx) error {
		go func() { compacted <- db.Compact(context.Background()) }()
		for len(deleted(t, db.Path())) == 0 { // until the new file is there
			if err := t.Context().Err(); err != nil {
				return err
			}
		}
		writePages(t, db, 200, "changed")
		view(t, db, func(tx *store.Tx) error {
			if all, err := collect(pages.All(tx, "")); err != nil || len(all) != 200 {
				t.Errorf("%d rows, %v", len(all), err)
			}
			return nil
		})
		if len(deleted(t, db.Path())) != 1 || len(compacted) != 0 {
			t.Error("the file went while it was read")
		}
		all, err := collect(pages.All(tx, ""))
		if len(all) != 100 {
			t.Errorf("%d rows", len(all))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if err := <-compacted; err != nil {
		t.Error(err)
	}
	if left := deleted(t, db.Path()); left != nil {
		t.Errorf("%v is still open", left)
	}
}

// deleted lists what this process has open that was at a path and is there no
// longer.
func deleted(t *testing.T, path string) (found []string) {
	t.Helper()
	open, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, path+" (deleted)") {
			found = append(found, fd)
		}
	}
	return found
}
