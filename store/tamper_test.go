package store_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	bolt "go.etcd.io/bbolt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// edit changes a database file as somebody without a key would.
func edit(t testing.TB, path string, fn func(tx *bolt.Tx) error) {
	t.Helper()
	db, err := bolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(fn), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// closed makes a database of a few rows and returns its path.
func closed(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "vault.db")
	db := storetest.Open(t, path)
	db.SetMAC(storetest.MAC{})
	insert(t, db, people,
		person{ID: "ann", Mail: "ann@x", Team: "a"},
		person{ID: "bob", Mail: "bob@x", Team: "b"},
		person{ID: "cy", Mail: "cy@x", Team: "c"},
	)
	insert(t, db, pairs, pair{"ann", "x"})
	insert(t, db, notes, note{ID: "ann", Text: "a"}, note{ID: "bob", Text: "b"})
	update(t, db, func(tx *store.Tx) error { return trail.Append(tx, 1, []byte("one")) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTampered(t *testing.T) {
	get := func(tx *store.Tx) error {
		_, err := people.Get(tx, "ann")
		return err
	}
	mail := func(tx *store.Tx) error {
		_, err := byMail.Get(tx, "ann@x")
		return err
	}
	team := func(tx *store.Tx) error {
		_, err := collect(byTeam.All(tx, "a"))
		return err
	}
	// move copies what lies under one key to another, of any bucket.
	move := func(tx *bolt.Tx, from, key, to, at string) error {
		v := tx.Bucket([]byte(from)).Get([]byte(key))
		return tx.Bucket([]byte(to)).Put([]byte(at), bytes.Clone(v))
	}
	multi := func(team, id string) string { return team + "\x00" + id + "\x00" + string(rune(len(id))) }

	for name, c := range map[string]struct {
		edit   func(tx *bolt.Tx) error
		read   func(tx *store.Tx) error
		bucket string
		key    store.Key
	}{
		"row edited": {func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("person"))
			v := bytes.Clone(b.Get([]byte("ann")))
			v[len(v)-1] ^= 1
			return b.Put([]byte("ann"), v)
		}, get, "person", "ann"},
		"tag edited": {func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("person"))
			v := bytes.Clone(b.Get([]byte("ann")))
			v[0] ^= 1
			return b.Put([]byte("ann"), v)
		}, get, "person", "ann"},
		"row shorter than a tag": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("person")).Put([]byte("ann"), []byte("short"))
		}, get, "person", "ann"},
		"row of another key": {func(tx *bolt.Tx) error {
			return move(tx, "person", "bob", "person", "ann")
		}, get, "person", "ann"},
		"row of another bucket": {func(tx *bolt.Tx) error {
			return move(tx, "pair", "ann\x00x", "person", "ann")
		}, get, "person", "ann"},
		"row copied": {func(tx *bolt.Tx) error {
			return move(tx, "person", "ann", "person", "new")
		}, func(tx *store.Tx) error {
			_, err := people.Get(tx, "new")
			return err
		}, "person", "new"},
		"bucket for a row": {func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte("person"))
			if err := b.Delete([]byte("ann")); err != nil {
				return err
			}
			_, err := b.CreateBucket([]byte("ann"))
			return err
		}, func(tx *store.Tx) error {
			_, err := collect(people.All(tx, ""))
			return err
		}, "person", "ann"},
		"has": {func(tx *bolt.Tx) error {
			return move(tx, "person", "bob", "person", "ann")
		}, func(tx *store.Tx) error {
			_, err := people.Has(tx, "ann")
			return err
		}, "person", "ann"},
		"all": {func(tx *bolt.Tx) error {
			return move(tx, "person", "ann", "person", "bob")
		}, func(tx *store.Tx) error {
			all, err := collect(people.All(tx, ""))
			if len(all) != 1 {
				t.Errorf("%d rows before the bad one", len(all))
			}
			return err
		}, "person", "bob"},
		"put over a bad row": {func(tx *bolt.Tx) error {
			return move(tx, "person", "bob", "person", "ann")
		}, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann"}) }, "person", "ann"},
		"delete of a bad row": {func(tx *bolt.Tx) error {
			return move(tx, "person", "bob", "person", "ann")
		}, func(tx *store.Tx) error { return people.Delete(tx, "ann") }, "person", "ann"},

		"unique entry redirected": {func(tx *bolt.Tx) error {
			return move(tx, "person_by_mail", "bob@x", "person_by_mail", "ann@x")
		}, mail, "person_by_mail", "ann@x"},
		"row of a unique entry deleted": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("person")).Delete([]byte("ann"))
		}, mail, "person_by_mail", "ann@x"},
		"multi entry forged": {func(tx *bolt.Tx) error {
			return move(tx, "person_by_team", multi("b", "bob"), "person_by_team", multi("a", "bob"))
		}, team, "person_by_team", store.Key(multi("a", "bob"))},
		"row of a multi entry deleted": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("person")).Delete([]byte("ann"))
		}, team, "person_by_team", store.Key(multi("a", "ann"))},
		"unique entry missing": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("person_by_mail")).Delete([]byte("ann@x"))
		}, func(tx *store.Tx) error { return people.Delete(tx, "ann") }, "person_by_mail", "ann@x"},
		"unique entry of another taken over": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("person_by_mail")).Put([]byte("new@x"), make([]byte, 40))
		}, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann", Mail: "new@x"}) }, "person_by_mail", "new@x"},

		"clear row that does not decode": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("note")).Put([]byte("ann"), []byte{0xff})
		}, func(tx *store.Tx) error {
			_, err := notes.Get(tx, "ann")
			return err
		}, "note", "ann"},
		"log key of another length": {func(tx *bolt.Tx) error {
			return tx.Bucket([]byte("trail")).Put([]byte("a"), []byte{0})
		}, func(tx *store.Tx) error {
			_, err := collect(trail.All(tx, 0))
			return err
		}, "trail", "a"},
	} {
		t.Run(name, func(t *testing.T) {
			path := closed(t)
			edit(t, path, c.edit)
			db := openUnchecked(t, path)
			err := db.Update(t.Context(), c.read)
			wantRowError(t, err, store.ErrTampered, c.bucket, c.key)
			if err := db.Check(t.Context()); !errors.Is(err, store.ErrTampered) {
				t.Errorf("Check: %v", err)
			}
		})
	}
}

// An entry or a row that was right once has a right tag.
func TestOldEntryPutBack(t *testing.T) {
	path := closed(t)
	var old []byte
	edit(t, path, func(tx *bolt.Tx) error {
		old = bytes.Clone(tx.Bucket([]byte("person_by_mail")).Get([]byte("ann@x")))
		return nil
	})
	db := openUnchecked(t, path)
	update(t, db, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann", Mail: "ann@y"}) })
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, path, func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("person_by_mail")).Put([]byte("ann@x"), old)
	})
	db = openUnchecked(t, path)
	view(t, db, func(tx *store.Tx) error {
		_, err := byMail.Get(tx, "ann@x")
		wantRowError(t, err, store.ErrTampered, "person_by_mail", "ann@x")
		return nil
	})
}

// Another key's tags are as good as none.
func TestOtherMAC(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, people, person{ID: "ann"})
	db.SetMAC(otherMAC{})
	view(t, db, func(tx *store.Tx) error {
		_, err := people.Get(tx, "ann")
		wantRowError(t, err, store.ErrTampered, "person", "ann")
		return nil
	})
	db.SetMAC(storetest.MAC{}) // for the check at the end
}

type otherMAC struct{ storetest.MAC }

func (m otherMAC) RowTag(bucket string, key, value []byte) [32]byte {
	tag := m.MAC.RowTag(bucket, key, value)
	tag[31] ^= 1
	return tag
}

// A file that is cut short while it is open can no longer be read. That is an
// error and not the end of the process.
func TestCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	db := openUnchecked(t, path)
	insert(t, db, people, many(2000)...)
	if err := os.Truncate(path, 4*int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	all := func(tx *store.Tx) error {
		_, err := collect(people.All(tx, ""))
		return err
	}
	if err := db.View(t.Context(), all); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("view: %v", err)
	}
	if err := db.Update(t.Context(), all); !errors.Is(err, store.ErrDamaged) {
		t.Errorf("update: %v", err)
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
	defer func() {
		if recover() == nil {
			t.Error("a fault of the function itself was hidden")
		}
	}()
	db.View(t.Context(), func(tx *store.Tx) error {
		var p *person
		return people.Put(tx, *p)
	})
}

// openUnchecked opens a store with the usual key that the end of the test need
// not find in order.
func openUnchecked(t *testing.T, path string) *store.DB {
	t.Helper()
	db, err := store.Open(store.Options{Path: path, Fatal: func(error) {}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMAC(storetest.MAC{})
	return db
}
