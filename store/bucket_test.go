package store_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

func TestBucket(t *testing.T) {
	db := storetest.New(t)
	ann := person{ID: "ann", Mail: "ann@x", Note: []byte("hello")}
	insert(t, db, people, ann)
	view(t, db, func(tx *store.Tx) error {
		if got, err := people.Get(tx, "ann"); err != nil || !reflect.DeepEqual(got, ann) {
			t.Errorf("Get: %v, %v", got, err)
		}
		if ok, err := people.Has(tx, "ann"); err != nil || !ok {
			t.Errorf("Has: %v, %v", ok, err)
		}
		if ok, err := people.Has(tx, "bob"); err != nil || ok {
			t.Errorf("Has of nothing: %v, %v", ok, err)
		}
		_, err := people.Get(tx, "bob")
		wantRowError(t, err, store.ErrNotFound, "person", "bob")
		wantRowError(t, people.Put(tx, ann), store.ErrReadOnly, "person", "")
		return nil
	})

	err := db.Update(t.Context(), func(tx *store.Tx) error { return people.Insert(tx, person{ID: "ann"}) })
	wantRowError(t, err, store.ErrExists, "person", "ann")
	err = db.Update(t.Context(), func(tx *store.Tx) error { return people.Delete(tx, "bob") })
	wantRowError(t, err, store.ErrNotFound, "person", "bob")

	ann.Note = nil
	update(t, db, func(tx *store.Tx) error { return people.Put(tx, ann) })
	update(t, db, func(tx *store.Tx) error {
		if got, err := people.Get(tx, "ann"); err != nil || got.Note != nil {
			t.Errorf("after Put: %v, %v", got, err)
		}
		return people.Delete(tx, "ann")
	})
	view(t, db, func(tx *store.Tx) error {
		_, err := people.Get(tx, "ann")
		wantRowError(t, err, store.ErrNotFound, "person", "ann")
		return nil
	})
}

func wantRowError(t *testing.T, err, want error, bucket string, key store.Key) {
	t.Helper()
	row, ok := errors.AsType[*store.RowError](err)
	if !errors.Is(err, want) || !ok || row.Bucket != bucket || row.Key != key {
		t.Errorf("got error %v, want %v of %s %q", err, want, bucket, key)
	}
}

func TestUnstorable(t *testing.T) {
	db := storetest.New(t)
	for name, c := range map[string]struct {
		row  person
		want error
	}{
		"empty key":      {row: person{}},
		"long key":       {row: person{ID: strings.Repeat("k", 9<<10)}, want: store.ErrTooLarge},
		"long row":       {row: person{ID: "a", Note: make([]byte, 4<<20)}, want: store.ErrTooLarge},
		"long index key": {row: person{ID: "a", Mail: strings.Repeat("k", 9<<10)}, want: store.ErrTooLarge},
		"long multi key": {row: person{ID: "a", Team: strings.Repeat("k", 9<<10)}, want: store.ErrTooLarge},
	} {
		err := db.Update(t.Context(), func(tx *store.Tx) error { return people.Insert(tx, c.row) })
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if s := db.Stats(); s.Commits != 0 {
		t.Errorf("%d commits", s.Commits)
	}
	// The longest keys that are taken fit into an entry together.
	long := strings.Repeat("k", 8<<10)
	insert(t, db, people, person{ID: long, Mail: long, Team: long, Note: make([]byte, 2<<20)})
}

func TestNotUTF8(t *testing.T) {
	db := storetest.New(t)
	want := person{ID: "\xff\xfe", Mail: "\x80"}
	insert(t, db, people, want)
	view(t, db, func(tx *store.Tx) error {
		if got, err := byMail.Get(tx, "\x80"); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v", got, err)
		}
		return nil
	})
}

func TestUnique(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, people, person{ID: "ann", Mail: "ann@x"}, person{ID: "bob", Mail: "bob@x"}, person{ID: "cy"})
	found := func(mail store.Key) string {
		var p person
		err := db.View(t.Context(), func(tx *store.Tx) (err error) {
			p, err = byMail.Get(tx, mail)
			return err
		})
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatal(err)
		}
		return p.ID
	}
	if found("ann@x") != "ann" || found("bob@x") != "bob" || found("") != "" {
		t.Fatal("wrong rows")
	}

	for name, op := range map[string]func(*store.Tx) error{
		"insert": func(tx *store.Tx) error { return people.Insert(tx, person{ID: "dan", Mail: "ann@x"}) },
		"put":    func(tx *store.Tx) error { return people.Put(tx, person{ID: "bob", Mail: "ann@x", Team: "t"}) },
	} {
		// The error is swallowed, so whatever the failed call wrote would stay.
		update(t, db, func(tx *store.Tx) error {
			wantRowError(t, op(tx), store.ErrExists, "person_by_mail", "ann@x")
			return nil
		})
		if found("ann@x") != "ann" || found("bob@x") != "bob" {
			t.Errorf("%s of a taken key changed something", name)
		}
		view(t, db, func(tx *store.Tx) error {
			if got := keys(t, byTeam.All(tx, "")); got != nil {
				t.Errorf("%s of a taken key left an entry: %v", name, got)
			}
			if p, err := people.Get(tx, "bob"); err != nil || p.Team != "" {
				t.Errorf("%s of a taken key changed the row: %v, %v", name, p, err)
			}
			return nil
		})
	}

	update(t, db, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann", Mail: "ann@y"}) })
	if found("ann@x") != "" || found("ann@y") != "ann" {
		t.Error("the index did not follow its row")
	}
	update(t, db, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann"}) })
	if found("ann@y") != "" {
		t.Error("the index kept a row without an index key")
	}
	update(t, db, func(tx *store.Tx) error { return people.Delete(tx, "bob") })
	insert(t, db, people, person{ID: "eve", Mail: "bob@x"})
	if found("bob@x") != "eve" {
		t.Error("a deleted row kept its index key")
	}
}

func TestMulti(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, people,
		person{ID: "3", Team: "a"}, person{ID: "1", Team: "a"}, person{ID: "2", Team: "b"}, person{ID: "4"},
		person{ID: "5", Team: "a\x00x"}, person{ID: "6", Team: "ab"},
		// Two pairs of keys that look alike when joined.
		person{ID: "b\x00c", Team: "z"}, person{ID: "c", Team: "z\x00b"},
	)
	check := func(at store.Key, want ...string) {
		t.Helper()
		view(t, db, func(tx *store.Tx) error {
			if got := keys(t, byTeam.All(tx, at)); !slices.Equal(got, want) {
				t.Errorf("at %q: got %q, want %q", at, got, want)
			}
			return nil
		})
	}
	check("a", "1", "3", "5")
	check("a\x00x", "5")
	check("b", "2")
	check("ab", "6")
	check("c")
	check("z\x00b", "c")
	check("z", "c", "b\x00c")
	update(t, db, func(tx *store.Tx) error { return people.Put(tx, person{ID: "3", Team: "b"}) })
	check("a", "1", "5")
	check("b", "2", "3")
	update(t, db, func(tx *store.Tx) error { return people.Delete(tx, "2") })
	check("b", "3")
}

func TestPrefix(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, pairs, pair{"a", "1"}, pair{"a", "2"}, pair{"a", "3"}, pair{"aa", "1"}, pair{"b", "1"}, pair{"", "x"}, pair{"c", ""})
	for _, c := range []struct {
		after, prefix store.Key
		want          []string
	}{
		{"", "", []string{"\x00x", "a\x001", "a\x002", "a\x003", "aa\x001", "b\x001", "c\x00"}},
		{"", "a", []string{"a\x001", "a\x002", "a\x003"}},
		{"", "a\x001", []string{"a\x001"}},
		{"", "c", []string{"c\x00"}},
		{"", "A", nil},
		{"", "zz", nil},
		{"a\x001", "a", []string{"a\x002", "a\x003"}},
		{"a\x0019", "a", []string{"a\x002", "a\x003"}}, // need not be there
		{"a\x003", "a", nil},
		{"aa", "a", nil},
		{"aa", "", []string{"aa\x001", "b\x001", "c\x00"}},
		{"A", "a", []string{"a\x001", "a\x002", "a\x003"}},
		{"zz", "", nil},
	} {
		view(t, db, func(tx *store.Tx) error {
			if got := keys(t, pairs.From(tx, c.after, c.prefix)); !slices.Equal(got, c.want) {
				t.Errorf("from %q in %q: got %q, want %q", c.after, c.prefix, got, c.want)
			}
			for range pairs.From(tx, c.after, c.prefix) {
				break
			}
			return nil
		})
	}
}

// many returns rows that fill a few dozen pages.
func many(n int) (all []person) {
	for i := range n {
		all = append(all, person{ID: fmt.Sprintf("%05d", i), Team: fmt.Sprint(i % 2), Note: make([]byte, 100)})
	}
	return all
}

func TestWriteWhileIterating(t *testing.T) {
	const n = 2000
	ids := func(seq func(yield func(person, error) bool)) int {
		count := 0
		last := ""
		for p, err := range seq {
			if err != nil {
				t.Fatal(err)
			}
			if p.ID <= last {
				t.Fatalf("%s after %s", p.ID, last)
			}
			last = p.ID
			count++
		}
		return count
	}
	each := func(t *testing.T, body func(tx *store.Tx, i int, p person) error) (seen, left int) {
		db := storetest.New(t)
		insert(t, db, people, many(n)...)
		update(t, db, func(tx *store.Tx) error {
			seen = 0
			for p, err := range people.All(tx, "") {
				if err != nil {
					return err
				}
				if err := body(tx, seen, p); err != nil {
					return err
				}
				seen++
			}
			return nil
		})
		view(t, db, func(tx *store.Tx) error {
			left = ids(people.All(tx, ""))
			return nil
		})
		return seen, left
	}

	t.Run("delete each", func(t *testing.T) {
		seen, left := each(t, func(tx *store.Tx, _ int, p person) error { return people.Delete(tx, p.Key()) })
		if seen != n || left != 0 {
			t.Errorf("saw %d, left %d", seen, left)
		}
	})
	t.Run("put each", func(t *testing.T) {
		seen, left := each(t, func(tx *store.Tx, _ int, p person) error {
			p.Note = make([]byte, 300)
			return people.Put(tx, p)
		})
		if seen != n || left != n {
			t.Errorf("saw %d, left %d", seen, left)
		}
	})
	t.Run("delete the next", func(t *testing.T) {
		seen, left := each(t, func(tx *store.Tx, i int, p person) error {
			return people.Delete(tx, store.Key(fmt.Sprintf("%05d", 2*i+1)))
		})
		if seen != n/2 || left != n/2 {
			t.Errorf("saw %d, left %d", seen, left)
		}
	})
	t.Run("insert around", func(t *testing.T) {
		seen, left := each(t, func(tx *store.Tx, _ int, p person) error {
			if len(p.ID) > 5 {
				return nil
			}
			if err := people.Insert(tx, person{ID: "+" + p.ID}); err != nil {
				return err
			}
			return people.Insert(tx, person{ID: p.ID + "+"})
		})
		if seen != 2*n || left != 3*n {
			t.Errorf("saw %d, left %d", seen, left)
		}
	})
	t.Run("delete by index", func(t *testing.T) {
		db := storetest.New(t)
		insert(t, db, people, many(n)...)
		update(t, db, func(tx *store.Tx) error {
			for p, err := range byTeam.All(tx, "1") {
				if err != nil {
					return err
				}
				if err := people.Delete(tx, p.Key()); err != nil {
					return err
				}
			}
			if got := ids(people.All(tx, "")); got != n/2 {
				t.Errorf("%d left", got)
			}
			return nil
		})
	})
}

func TestSealed(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, people, person{ID: "ann", Mail: "a", Team: "a"})
	db.SetMAC(nil)
	update(t, db, func(tx *store.Tx) error {
		_, err := people.Get(tx, "ann")
		errs := []error{err}
		_, err = people.Has(tx, "ann")
		errs = append(errs, err)
		errs = append(errs, people.Insert(tx, person{ID: "bob"}), people.Put(tx, person{ID: "bob"}), people.Delete(tx, "ann"))
		_, err = byMail.Get(tx, "a")
		errs = append(errs, err)
		_, err = collect(byTeam.All(tx, "a"))
		errs = append(errs, err)
		_, err = collect(people.All(tx, ""))
		errs = append(errs, err)
		for i, err := range errs {
			if !errors.Is(err, store.ErrSealed) {
				t.Errorf("operation %d on a sealed bucket: %v", i, err)
			}
		}
		if err := notes.Insert(tx, note{ID: "a"}); err != nil {
			return err
		}
		return trail.Append(tx, 1, nil)
	})
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
	db.SetMAC(storetest.MAC{})
	view(t, db, func(tx *store.Tx) error {
		_, err := people.Get(tx, "ann")
		return err
	})
}

// SetMAC waits for the transactions that use the old MAC, so that its key can
// be destroyed.
func TestSetMACWaits(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, people, person{ID: "ann"})
	inside, sealed := make(chan struct{}), make(chan struct{})
	go func() {
		<-inside
		db.SetMAC(nil)
		close(sealed)
	}()
	view(t, db, func(tx *store.Tx) error {
		close(inside)
		for {
			// A transaction that begins now may find the new session, and must
			// not wait for the old one's end.
			var inner error
			view(t, db, func(tx *store.Tx) error {
				_, inner = people.Get(tx, "ann")
				return nil
			})
			if _, err := people.Get(tx, "ann"); err != nil {
				t.Errorf("sealed under a running transaction: %v", err)
			}
			if errors.Is(inner, store.ErrSealed) {
				break
			}
		}
		select {
		case <-sealed:
			t.Error("SetMAC did not wait")
		default:
		}
		return nil
	})
	<-sealed
}

func TestDeclaredTwice(t *testing.T) {
	db := storetest.New(t)
	insert(t, db, notes, note{ID: "a"})
	defer func() {
		if recover() == nil {
			t.Error("two buckets of one name were accepted")
		}
	}()
	view(t, db, func(tx *store.Tx) error {
		_, err := store.Clear[note]("note").Get(tx, "a")
		return err
	})
}

func TestKeptTx(t *testing.T) {
	db := storetest.New(t)
	var kept *store.Tx
	update(t, db, func(tx *store.Tx) error {
		kept = tx
		return notes.Insert(tx, note{ID: "a"})
	})
	if _, err := notes.Get(kept, "a"); err == nil {
		t.Error("a transaction could be used after its end")
	}
	if err := notes.Put(kept, note{ID: "a"}); err == nil {
		t.Error("a transaction could be written to after its end")
	}
}

// What is read stays what it was, whatever happens to the file.
func TestReadIsACopy(t *testing.T) {
	db := storetest.New(t)
	update(t, db, func(tx *store.Tx) error {
		if err := trail.Append(tx, 1, []byte("first")); err != nil {
			return err
		}
		return people.Insert(tx, person{ID: "ann", Note: []byte("first")})
	})
	var p person
	var value []byte
	view(t, db, func(tx *store.Tx) (err error) {
		if p, err = people.Get(tx, "ann"); err != nil {
			return err
		}
		value, err = trail.Get(tx, 1)
		return err
	})
	if err := db.Close(); err != nil { // unmaps the file
		t.Fatal(err)
	}
	if string(p.Note) != "first" || string(value) != "first" {
		t.Errorf("got %q, %q", p.Note, value)
	}
}

// TestModel does random things to a bucket and to a map.
func TestModel(t *testing.T) {
	db := storetest.Once(t)
	rng := rand.New(rand.NewPCG(1, 2))
	model := map[string]person{}
	pick := func(n int) string { return fmt.Sprint(rng.IntN(n)) }
	for range 200 {
		next := map[string]person{}
		update(t, db, func(tx *store.Tx) error {
			maps.Copy(next, model)
			for range rng.IntN(30) {
				p := person{ID: pick(60), Team: pick(4), Note: make([]byte, rng.IntN(400))}
				if rng.IntN(3) > 0 {
					p.Mail = pick(100)
				}
				old, found := next[p.ID]
				taken := false
				for _, q := range next {
					taken = taken || q.ID != p.ID && q.Mail == p.Mail && p.Mail != ""
				}
				switch rng.IntN(3) {
				case 0:
					err := people.Insert(tx, p)
					if want := found || taken; errors.Is(err, store.ErrExists) != want {
						t.Fatalf("Insert %v: %v, there %v, taken %v", p, err, found, taken)
					}
					if err == nil {
						next[p.ID] = p
					}
				case 1:
					err := people.Put(tx, p)
					if errors.Is(err, store.ErrExists) != taken {
						t.Fatalf("Put %v over %v: %v, taken %v", p, old, err, taken)
					}
					if err == nil {
						next[p.ID] = p
					}
				default:
					if err := people.Delete(tx, p.Key()); errors.Is(err, store.ErrNotFound) == found {
						t.Fatalf("Delete %v: %v", p.ID, err)
					}
					delete(next, p.ID)
				}
			}
			return nil
		})
		model = next
	}
	view(t, db, func(tx *store.Tx) error {
		all, err := collect(people.All(tx, ""))
		if err != nil || len(all) != len(model) {
			t.Errorf("%d rows of %d, %v", len(all), len(model), err)
		}
		for _, p := range all {
			if want := model[p.ID]; p.Mail != want.Mail || p.Team != want.Team || len(p.Note) != len(want.Note) {
				t.Errorf("%v, want %v", p, want)
			}
		}
		return nil
	})
}
