package store_test

import (
	"iter"
	"testing"

	"github.com/cortex-auth/cortex/store"
)

// A person is the row most tests use.
type person struct {
	ID   string `cbor:"1,keyasint"`
	Mail string `cbor:"2,keyasint"` // unique; may be empty
	Team string `cbor:"3,keyasint"` // may be empty
	Note []byte `cbor:"4,keyasint"`
}

func (p person) Key() store.Key { return store.Key(p.ID) }

var (
	people = store.Rows[person]("person")
	byMail = store.Unique(people, "person_by_mail", func(p person) (store.Key, bool) {
		return store.Key(p.Mail), p.Mail != ""
	})
	byTeam = store.NewMulti(people, "person_by_team", func(p person) (store.Key, bool) {
		return store.Key(p.Team), p.Team != ""
	})
)

// A pair has a key of two parts.
type pair struct {
	A string `cbor:"1,keyasint"`
	B string `cbor:"2,keyasint"`
}

func (p pair) Key() store.Key { return store.Join(p.A, p.B) }

var pairs = store.Rows[pair]("pair")

// A note can be read while sealed.
type note struct {
	ID   string `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

func (n note) Key() store.Key { return store.Key(n.ID) }

var notes = store.Clear[note]("note")

var trail = store.NewLog("trail")

func update(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func view(t testing.TB, db *store.DB, fn func(tx *store.Tx) error) {
	t.Helper()
	if err := db.View(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

// insert puts rows into a bucket, all in one update.
func insert[R store.Row](t testing.TB, db *store.DB, b *store.Bucket[R], rows ...R) {
	t.Helper()
	update(t, db, func(tx *store.Tx) error {
		for _, r := range rows {
			if err := b.Insert(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// collect returns what a sequence yields before its error.
func collect[R any](seq iter.Seq2[R, error]) (all []R, err error) {
	for r, err := range seq {
		if err != nil {
			return all, err
		}
		all = append(all, r)
	}
	return all, nil
}

// keys collects the keys of a sequence of rows.
func keys[R store.Row](t testing.TB, seq iter.Seq2[R, error]) (all []string) {
	t.Helper()
	for r, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, string(r.Key()))
	}
	return all
}
