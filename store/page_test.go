package store_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

type paged struct {
	ID   string `cbor:"1,keyasint"`
	Name string `cbor:"2,keyasint"`
}

func (r paged) Key() store.Key { return store.Key(r.ID) }

var (
	pagedRows  = store.Clear[paged]("paged")
	pagedNames = store.Unique(pagedRows, "paged_by_name", func(r paged) (store.Key, bool) {
		return store.Join("x", r.Name), true
	})
)

// An index is walked in the order of its keys, from behind any of them, there
// or not.
func TestIndexFrom(t *testing.T) {
	db := storetest.New(t)
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 9 {
			if err := pagedRows.Insert(tx, paged{ID: fmt.Sprint(100 - i), Name: fmt.Sprintf("n%d", 2*i)}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after, prefix string
		want          []string
	}{
		{"", "x", []string{"n0", "n10", "n12"}},
		{"x\x00n10", "x", []string{"n12", "n14", "n16"}},
		{"x\x00n11", "x", []string{"n12", "n14", "n16"}},
		{"x\x00n8", "x", nil},
		{"", "y", nil},
		{"", "x\x00n8", []string{"n8"}},
	} {
		var got []string
		err := db.View(t.Context(), func(tx *store.Tx) error {
			for r, err := range pagedNames.From(tx, store.Key(c.after), store.Key(c.prefix)) {
				if err != nil {
					return err
				}
				if got = append(got, r.Name); len(got) == 3 {
					break
				}
			}
			return nil
		})
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("after %q in %q: %q, %v, want %q", c.after, c.prefix, got, err, c.want)
		}
	}
}
