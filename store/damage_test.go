package store_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// damaged runs everything over a file in which something was changed. Errors are
// fine, and so is nothing at all, where it was of no account; the process must
// live.
func damaged(t *testing.T, path string) {
	t.Helper()
	reader, err := store.Open(store.Options{Path: path, ReadOnly: true})
	if err == nil {
		look(t, reader)
		_ = reader.Check(t.Context())
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
	db, err := store.Open(store.Options{Path: path, Fatal: func(error) {}})
	if err != nil {
		return
	}
	defer db.Close()
	db.SetMAC(storetest.MAC{})
	look(t, db)
	_ = db.Check(t.Context())
	_ = db.Update(t.Context(), func(tx *store.Tx) error { return pages.Put(tx, pageRow{"another", "text"}) })
	_ = db.Compact(t.Context())
}

func look(t *testing.T, db *store.DB) {
	_ = db.View(t.Context(), func(tx *store.Tx) error {
		for _, err := range pages.All(tx, "") {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestDamagedPages(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 400, "some text that fills pages, so that there are branches and leaves")
	live, err := os.ReadFile(db.Path()) // the list of free pages is not in there
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	settled, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "damaged.db")
	for name, good := range map[string][]byte{"live": live, "settled": settled} {
		used := min(len(good), 256<<10) // what lies behind was never written
		for i := range 300 {
			bad := append([]byte{}, good...)
			at, bit := random.IntN(used), random.IntN(8)
			if i%3 == 0 { // page headers and elements are a small part, and the worst
				at = at&^4095 + random.IntN(64)
			}
			bad[at] ^= 1 << bit
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: byte %d, bit %d", name, at, bit)
			damaged(t, path)
		}
	}
}

// A bug of a caller is not taken for damage.
func TestPanicsOfCallers(t *testing.T) {
	db := storetest.New(t)
	writePages(t, db, 1, "text")
	for name, fn := range map[string]func(*store.Tx) error{
		"a panic":       func(*store.Tx) error { panic("mine") },
		"a nil pointer": func(*store.Tx) error { var p *pageRow; _ = p.Name; return nil },
		"a bad key":     func(tx *store.Tx) error { store.Join("a\x00b"); return nil },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was swallowed", name)
				}
			}()
			err := db.View(t.Context(), fn)
			if errors.Is(err, store.ErrDamaged) {
				t.Errorf("%s is called damage", name)
			}
		}()
	}
}
