package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// What others keep beside a file, under a name that one of ours would have, is
// never touched.
func TestForeignNeighbours(t *testing.T) {
	const text = "1234 is a number of theirs\n"
	ours, err := os.ReadFile(closed(t))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		database  []byte // nil if there is none
		neighbour string
		reserve   int64
	}{
		"lock of another kind of file":    {[]byte("[package]\n"), ".lock", 1 << 20},
		"reserve of another kind of file": {[]byte("[package]\n"), ".reserve", 1 << 20},
		"unwanted reserve of another":     {[]byte("[package]\n"), ".reserve", 0},
		"lock, nothing there":             {nil, ".lock", 1 << 20},
		"part, nothing there":             {nil, ".new", 1 << 20},
		"reserve, nothing there":          {nil, ".reserve", 1 << 20},
		"unwanted reserve, nothing there": {nil, ".reserve", 0},
		"lock of ours":                    {ours, ".lock", 1 << 20},
		"reserve of ours":                 {ours, ".reserve", 1 << 20},
		"unwanted reserve of ours":        {ours, ".reserve", 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "Cargo")
			if c.database != nil {
				if err := os.WriteFile(path, c.database, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			neighbour := path + c.neighbour
			if err := os.WriteFile(neighbour, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			db, err := store.Open(store.Options{Path: path, Reserve: c.reserve})
			if err == nil {
				db.Discard()
			}
			if !errors.Is(err, store.ErrForeign) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v", err)
			}
			if got, err := os.ReadFile(neighbour); string(got) != text {
				t.Errorf("it holds %q, %v", got, err)
			}
			if info, err := os.Stat(neighbour); err != nil || info.Mode() != 0o644 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			if c.database == nil && c.neighbour == ".reserve" { // found last, when all is made
				wantFiles(t, dir, "Cargo"+c.neighbour)
			}
		})
	}
}

// Beside a file of another kind nothing is made, either.
func TestForeignLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "Cargo")
	if err := os.WriteFile(path, []byte("[package]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(store.Options{Path: path, Reserve: 1 << 20}); !errors.Is(err, store.ErrForeign) {
		db.Close()
		t.Errorf("got %v", err)
	}
	wantFiles(t, dir, "Cargo")
}

// A directory is no reserve, not even an empty one that is not wanted.
func TestReserveIsADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	if err := os.Mkdir(path+".reserve", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int64{0, 1 << 20} {
		if db, err := store.Open(store.Options{Path: path, Reserve: n}); err == nil {
			db.Close()
			t.Errorf("opened with a reserve of %d", n)
		}
	}
	if info, err := os.Stat(path + ".reserve"); err != nil || !info.IsDir() {
		t.Errorf("the directory: %v", err)
	}
}

// What a crash left in the lock file is ours.
func TestLockAfterCrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	for _, text := range []string{"", "4194304\n", "\x00\x00\x00", "17"} {
		if err := os.WriteFile(path+".lock", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		storetest.Open(t, path).Close()
	}
}
