package store_test

import (
	"encoding/binary"
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

// goodFiles returns a file as it is while it is served, without the list of free
// pages, and as it is afterwards.
func goodFiles(t *testing.T) (live, settled []byte) {
	t.Helper()
	db := storetest.New(t)
	writePages(t, db, 400, "some text that fills pages, so that there are branches and leaves")
	live, err := os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	settled, err = os.ReadFile(db.Path())
	if err != nil {
		t.Fatal(err)
	}
	return live, settled
}

func TestDamagedPages(t *testing.T) {
	live, settled := goodFiles(t)
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "damaged.db")
	for i, good := range [][]byte{live, settled} {
		name := []string{"live", "settled"}[i]
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

// What would have the engine go on for ever, or nearly so, is found when the file
// is opened: a branch that leads to itself, and more pages behind one than there
// are, or than it needs.
func TestEndlessPages(t *testing.T) {
	_, good := goodFiles(t)
	path := filepath.Join(t.TempDir(), "endless.db")
	found := map[string]int{}
	spoil := func(what string, page int, change func([]byte)) {
		bad := append([]byte{}, good...)
		change(bad[page*4096:])
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: page %d", what, page)
		for _, reading := range []bool{false, true} {
			db, err := store.Open(store.Options{Path: path, ReadOnly: reading})
			switch {
			case err == nil: // the page is free
				db.Close()
				damaged(t, path)
			case errors.Is(err, store.ErrDamaged):
				found[what]++
			default:
				t.Error(err)
			}
		}
	}
	le := binary.LittleEndian
	for page := 2; page*4096 < len(good); page++ {
		head := good[page*4096:]
		if flags := le.Uint16(head[8:]); le.Uint64(head) != uint64(page) || flags == 0 {
			continue
		} else if flags == 1 {
			spoil("a branch to itself", page, func(b []byte) { le.PutUint64(b[24:], uint64(page)) })
		}
		spoil("many behind it", page, func(b []byte) { b[15] ^= 1 << 7 })
		spoil("one behind it", page, func(b []byte) { b[12] ^= 1 })
	}
	if found["a branch to itself"] < 2 || found["many behind it"] < 40 || found["one behind it"] < 40 {
		t.Errorf("found %v", found)
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
