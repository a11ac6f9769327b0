package store_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// A card is a row that is remembered.
type card struct {
	ID    string `cbor:"1,keyasint"`
	Owner string `cbor:"2,keyasint"` // unique
	N     int    `cbor:"3,keyasint"`
	Note  []byte `cbor:"4,keyasint,omitempty"`
}

func (c card) Key() store.Key { return store.Key(c.ID) }

var (
	cards   = store.Rows[card]("card").Kept()
	byOwner = store.Unique(cards, "card_by_owner", func(c card) (store.Key, bool) { return store.Key(c.Owner), true })
)

func wantCard(t *testing.T, db *store.DB, owner string, want card) {
	t.Helper()
	for range 2 { // once from the file, once from memory
		view(t, db, func(tx *store.Tx) error {
			c, err := byOwner.Get(tx, store.Key(owner))
			if err != nil || c.ID != want.ID || c.N != want.N {
				t.Errorf("owner %s: %v, %v; want %v", owner, c, err, want)
			}
			if c, err = cards.Get(tx, store.Key(want.ID)); err != nil || c.N != want.N {
				t.Errorf("card %s: %v, %v; want %v", want.ID, c, err, want)
			}
			return nil
		})
	}
}

// What is remembered is what the transaction would find in the file.
func TestKeptFollowsWrites(t *testing.T) {
	db := storetest.New(t)
	a := card{ID: "a", Owner: "ann"}
	update(t, db, func(tx *store.Tx) error { return cards.Insert(tx, a) })
	wantCard(t, db, "ann", a)
	a.N = 1
	update(t, db, func(tx *store.Tx) error { return cards.Put(tx, a) })
	wantCard(t, db, "ann", a)
	a.Owner = "bob"
	update(t, db, func(tx *store.Tx) error { return cards.Put(tx, a) })
	wantCard(t, db, "bob", a)
	view(t, db, func(tx *store.Tx) error {
		if _, err := byOwner.Get(tx, "ann"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the former owner: %v", err)
		}
		return nil
	})
	view(t, db, func(tx *store.Tx) error {
		for range 2 {
			if found, err := cards.Has(tx, "b"); found || err != nil {
				t.Errorf("a card that is not there: %v, %v", found, err)
			}
		}
		return nil
	})
	b := card{ID: "b", Owner: "ann", N: 7}
	update(t, db, func(tx *store.Tx) error { return cards.Insert(tx, b) })
	wantCard(t, db, "ann", b)
	update(t, db, func(tx *store.Tx) error { return cards.Delete(tx, "b") })
	view(t, db, func(tx *store.Tx) error {
		if _, err := cards.Get(tx, "b"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the deleted card: %v", err)
		}
		return nil
	})
}

// An update that was rolled back leaves nothing behind, and one that reads
// after it wrote sees what it wrote.
func TestKeptInUpdates(t *testing.T) {
	db := storetest.New(t)
	a := card{ID: "a", Owner: "ann"}
	update(t, db, func(tx *store.Tx) error { return cards.Insert(tx, a) })
	wantCard(t, db, "ann", a)
	no := errors.New("no")
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := cards.Put(tx, card{ID: "a", Owner: "ann", N: 5}); err != nil {
			return err
		}
		if c, err := cards.Get(tx, "a"); err != nil || c.N != 5 {
			t.Errorf("read after write: %v, %v", c, err)
		}
		return no
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	wantCard(t, db, "ann", a)
}

// A view that began before a write goes on seeing what was there, also after
// others have read, and so remembered, what is there now; and the reverse.
func TestKeptBySnapshot(t *testing.T) {
	db := storetest.New(t)
	a := card{ID: "a", Owner: "ann"}
	update(t, db, func(tx *store.Tx) error { return cards.Insert(tx, a) })
	view(t, db, func(old *store.Tx) error {
		var wg sync.WaitGroup
		wg.Go(func() {
			update(t, db, func(tx *store.Tx) error { return cards.Put(tx, card{ID: "a", Owner: "ann", N: 1}) })
			wantCard(t, db, "ann", card{ID: "a", N: 1})
		})
		wg.Wait()
		if c, err := cards.Get(old, "a"); err != nil || c.N != 0 {
			t.Errorf("the older view sees %v, %v", c, err)
		}
		return nil
	})
	wantCard(t, db, "ann", card{ID: "a", N: 1})
}

// To seal the store is to forget.
func TestKeptNotWhileSealed(t *testing.T) {
	db := storetest.New(t)
	a := card{ID: "a", Owner: "ann"}
	update(t, db, func(tx *store.Tx) error { return cards.Insert(tx, a) })
	wantCard(t, db, "ann", a)
	db.SetMAC(nil)
	view(t, db, func(tx *store.Tx) error {
		if _, err := cards.Get(tx, "a"); !errors.Is(err, store.ErrSealed) {
			t.Errorf("sealed: %v", err)
		}
		return nil
	})
	db.SetMAC(storetest.MAC{})
	wantCard(t, db, "ann", a)
}

// More than is remembered is still found, and is what it was.
func TestKeptIsBounded(t *testing.T) {
	db := storetest.New(t)
	const n = 4000
	update(t, db, func(tx *store.Tx) error {
		for i := range n {
			c := card{ID: fmt.Sprint(i), Owner: fmt.Sprint("owner-", i), N: i, Note: make([]byte, 2000)}
			if err := cards.Insert(tx, c); err != nil {
				return err
			}
		}
		return nil
	})
	for range 2 {
		view(t, db, func(tx *store.Tx) error {
			for i := range n {
				if c, err := cards.Get(tx, store.Key(fmt.Sprint(i))); err != nil || c.N != i {
					t.Errorf("%d: %v, %v", i, c.N, err)
				}
			}
			return nil
		})
	}
	if got := store.Remembered(db); got == 0 || got > 2*(4<<20)/(2*2000) {
		t.Errorf("%d rows are remembered", got)
	}
}
