package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/store"
)

func TestInspect(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.db")
	if _, err := store.Inspect(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	db, err := store.Open(store.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Inspect(path); err == nil {
		t.Error("a file in use is looked into")
	} else if busy, ok := errors.AsType[*store.InUseError](err); !ok || busy.PID != os.Getpid() {
		t.Errorf("in use: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := store.Inspect(path)
	if err != nil || got.Size == 0 || got.Schema == 0 || got.Schema != got.Newest {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte("something else, of some length"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Inspect(path); !errors.Is(err, store.ErrForeign) {
		t.Errorf("another file: %v", err)
	}
}
