package store_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

// A gate is an update that holds up the committer, so that others queue. In a
// bubble, synctest.Wait returns when they do.
type gate struct {
	open chan struct{}
	done chan error
}

func closeGate(db *store.DB) *gate {
	g := &gate{open: make(chan struct{}), done: make(chan error, 1)}
	entered := make(chan struct{})
	go func() {
		g.done <- db.Update(context.Background(), func(tx *store.Tx) error {
			close(entered)
			<-g.open
			return notes.Put(tx, note{ID: "gate"})
		})
	}()
	<-entered
	return g
}

// release waits until everything queues and lets it run.
func (g *gate) release(t *testing.T) {
	t.Helper()
	synctest.Wait()
	close(g.open)
	if err := <-g.done; err != nil {
		t.Errorf("gate: %v", err)
	}
	synctest.Wait()
}

// A writer inserts a note, and then does what it is told to.
type writer struct {
	id   string
	then func() error // before the note is written
	last func() error // after
	runs int
	err  error
}

func (w *writer) start(db *store.DB) {
	go func() {
		w.err = errors.New("did not return")
		w.err = db.Update(context.Background(), func(tx *store.Tx) error {
			w.runs++
			if w.then != nil {
				if err := w.then(); err != nil {
					return err
				}
			}
			if err := notes.Insert(tx, note{ID: w.id}); err != nil {
				return err
			}
			if w.last != nil {
				return w.last()
			}
			return nil
		})
	}()
}

func startAll(db *store.DB, writers ...*writer) {
	for _, w := range writers {
		w.start(db)
		synctest.Wait() // so that they queue in order
	}
}

func wantNotes(t *testing.T, db *store.DB, want ...string) {
	t.Helper()
	var got []string
	view(t, db, func(tx *store.Tx) error {
		got = keys(t, notes.All(tx, ""))
		return nil
	})
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

func TestBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		g := closeGate(db)
		writers := []*writer{{id: "a"}, {id: "b"}, {id: "c"}}
		startAll(db, writers...)
		g.release(t)
		for _, w := range writers {
			if w.err != nil || w.runs != 1 {
				t.Errorf("%s: %v, ran %d times", w.id, w.err, w.runs)
			}
		}
		if s := db.Stats(); s.Commits != 2 || s.Updates != 4 {
			t.Errorf("%+v", s)
		}
		wantNotes(t, db, "a", "b", "c", "gate")
	})
}

func TestFailureInBatch(t *testing.T) {
	refused := errors.New("refused")
	refuse := func() error { return refused }
	for name, c := range map[string]struct {
		bad  writer
		runs [3]int // of the one before, the bad one, the one after
	}{
		"before writing": {writer{id: "b", then: refuse}, [3]int{1, 1, 1}},
		"after writing":  {writer{id: "b", last: refuse}, [3]int{2, 1, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				db := storetest.Once(t)
				g := closeGate(db)
				before, after := &writer{id: "a"}, &writer{id: "c"}
				bad := c.bad
				startAll(db, before, &bad, after)
				g.release(t)
				if before.err != nil || bad.err != refused || after.err != nil {
					t.Errorf("got %v, %v, %v", before.err, bad.err, after.err)
				}
				if got := [3]int{before.runs, bad.runs, after.runs}; got != c.runs {
					t.Errorf("ran %v times, want %v", got, c.runs)
				}
				if s := db.Stats(); s.Commits != 2 || s.Updates != 3 {
					t.Errorf("%+v", s)
				}
				wantNotes(t, db, "a", "c", "gate")
			})
		})
	}
}

// The second of two that insert the same row is refused because of a row that
// is not committed yet.
func TestConflictInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		g := closeGate(db)
		first, second := &writer{id: "a"}, &writer{id: "a"}
		startAll(db, first, second)
		g.release(t)
		if first.err != nil || !errors.Is(second.err, store.ErrExists) {
			t.Errorf("got %v, %v", first.err, second.err)
		}
		wantNotes(t, db, "a", "gate")
	})
}

func TestPanicInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		g := closeGate(db)
		before, after := &writer{id: "a"}, &writer{id: "c"}
		startAll(db, before)
		var got any
		go func() {
			defer func() { got = recover() }()
			db.Update(context.Background(), func(tx *store.Tx) error {
				if err := notes.Put(tx, note{ID: "b"}); err != nil {
					return err
				}
				panic(errors.ErrUnsupported)
			})
		}()
		synctest.Wait()
		startAll(db, after)
		g.release(t)
		if got != errors.ErrUnsupported {
			t.Errorf("recovered %v", got)
		}
		if before.err != nil || after.err != nil {
			t.Errorf("got %v, %v", before.err, after.err)
		}
		wantNotes(t, db, "a", "c", "gate")
	})
}

// t.FailNow in an update calls runtime.Goexit.
func TestGoexitInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		g := closeGate(db)
		before, after := &writer{id: "a"}, &writer{id: "c"}
		bad := &writer{id: "b", last: func() error {
			runtime.Goexit()
			return nil
		}}
		startAll(db, before, bad, after)
		g.release(t)
		if before.err != nil || after.err != nil || bad.err == nil {
			t.Errorf("got %v, %v, %v", before.err, bad.err, after.err)
		}
		wantNotes(t, db, "a", "c", "gate")
		update(t, db, func(tx *store.Tx) error { return notes.Insert(tx, note{ID: "later"}) })
	})
}

func TestPanicInView(t *testing.T) {
	db := storetest.Once(t)
	func() {
		defer func() {
			if recover() != "oops" {
				t.Error("the panic did not come through")
			}
		}()
		view(t, db, func(tx *store.Tx) error { panic("oops") })
	}()
	var wg sync.WaitGroup
	wg.Go(func() {
		db.View(context.Background(), func(tx *store.Tx) error {
			runtime.Goexit()
			return nil
		})
	})
	wg.Wait()
	db.SetMAC(nil) // waits for transactions
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		g := closeGate(db)
		ctx, cancel := context.WithCancelCause(context.Background())
		var err error
		ran := false
		go func() {
			err = db.Update(ctx, func(*store.Tx) error {
				ran = true
				return nil
			})
		}()
		synctest.Wait()
		cancel(errors.New("why"))
		synctest.Wait()
		if err != context.Canceled { // at once, although the gate is closed
			t.Errorf("got %v", err)
		}
		mate := &writer{id: "a"}
		startAll(db, mate)
		g.release(t)
		if ran || mate.err != nil {
			t.Errorf("ran %v, mate %v", ran, mate.err)
		}
		if err := db.Update(ctx, func(*store.Tx) error { return nil }); err != context.Canceled {
			t.Errorf("before it began: %v", err)
		}
		if err := db.View(ctx, func(*store.Tx) error { return nil }); err != context.Canceled {
			t.Errorf("view: %v", err)
		}
	})
}

// Once an update runs, its caller is told what became of it.
func TestCancelledWhileRunning(t *testing.T) {
	db := storetest.Once(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *store.Tx) error {
		cancel()
		return notes.Insert(tx, note{ID: "a"})
	})
	if err != nil {
		t.Error(err)
	}
	wantNotes(t, db, "a")
}

func TestCloseCommitsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		path := db.Path()
		g := closeGate(db)
		w := &writer{id: "a"}
		startAll(db, w)
		var closed error
		go func() { closed = db.Close() }()
		g.release(t)
		if w.err != nil || closed != nil {
			t.Errorf("got %v, %v", w.err, closed)
		}
		if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != store.ErrClosed {
			t.Errorf("update: %v", err)
		}
		if err := db.View(t.Context(), func(*store.Tx) error { return nil }); err != store.ErrClosed {
			t.Errorf("view: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Errorf("closing again: %v", err)
		}
		wantNotes(t, storetest.Open(t, path), "a", "gate")
	})
}

func TestAloneIsOneCommitEach(t *testing.T) {
	db := storetest.Once(t)
	const n = 50
	for i := range n {
		update(t, db, func(tx *store.Tx) error { return notes.Insert(tx, note{ID: fmt.Sprint(i)}) })
	}
	if s := db.Stats(); s.Commits != n || s.Updates != n {
		t.Errorf("%+v", s)
	}
	// Nothing written, nothing committed.
	update(t, db, func(tx *store.Tx) error { return nil })
	if s := db.Stats(); s.Commits != n {
		t.Errorf("%+v", s)
	}
}

// Nobody waits for a timer: a bubble's clock goes on only for one.
func TestAloneWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		start := time.Now()
		for i := range 20 {
			update(t, db, func(tx *store.Tx) error { return notes.Insert(tx, note{ID: fmt.Sprint(i)}) })
		}
		if waited := time.Since(start); waited != 0 {
			t.Errorf("waited %v", waited)
		}
	})
}

// TestTogether counts what 64 writers, each coming back as soon as it is
// answered, share. It depends on no clock.
func TestTogether(t *testing.T) {
	db := storetest.Once(t)
	const writers, each = 64, 100
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					return people.Insert(tx, person{ID: fmt.Sprintf("%d-%d", i, j)})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	s := db.Stats()
	if s.Updates != writers*each || s.Updates < 16*s.Commits {
		t.Errorf("%+v", s)
	}
	t.Logf("%.1f updates per commit", float64(s.Updates)/float64(s.Commits))
}

// A counter read, then written, by many at a time, among updates that fail,
// misses nothing.
func TestSerialisable(t *testing.T) {
	db := storetest.Once(t)
	insert(t, db, notes, note{ID: "n"})
	const writers, each = 16, 30
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			for j := range each {
				fails := (i+j)%3 == 0
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					n, err := notes.Get(tx, "n")
					if err != nil {
						return err
					}
					n.Text += "x"
					if err := notes.Put(tx, n); err != nil {
						return err
					}
					if fails {
						return errors.ErrUnsupported
					}
					return nil
				})
				if fails != (err != nil) {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	view(t, db, func(tx *store.Tx) error {
		if n, err := notes.Get(tx, "n"); err != nil || len(n.Text) != writers*each*2/3 {
			t.Errorf("counted %d of %d, %v", len(n.Text), writers*each*2/3, err)
		}
		return nil
	})
}

// Of all who want one key of a unique index at once, one gets it; and whoever
// looks in between sees an index that agrees with the rows.
func TestUniqueTogether(t *testing.T) {
	db := storetest.Once(t)
	const rivals, rounds = 32, 20
	for round := range rounds {
		mail := store.Key(fmt.Sprintf("%d@x", round))
		var won atomic.Int32
		var wg sync.WaitGroup
		for i := range rivals {
			wg.Go(func() {
				// Half of them come with a new row, half have one that changes.
				p := person{ID: fmt.Sprintf("%d-%d", i, round*(i%2))}
				write := people.Insert
				if i%2 == 0 {
					write = people.Put
				}
				p.Mail = string(mail)
				switch err := db.Update(t.Context(), func(tx *store.Tx) error { return write(tx, p) }); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrExists):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if won.Load() != 1 {
			t.Errorf("%d have %s", won.Load(), mail)
		}
	}
}

func TestChanged(t *testing.T) {
	db := storetest.Once(t)
	insert(t, db, people, person{ID: "ann", Mail: "a"})
	snapshot := func() (s store.Snapshot) {
		view(t, db, func(tx *store.Tx) error {
			s = tx.Snapshot()
			return nil
		})
		return s
	}
	changed := func(s store.Snapshot, buckets ...store.Named) (yes bool) {
		update(t, db, func(tx *store.Tx) error {
			yes = tx.Changed(s, buckets...)
			return nil
		})
		return yes
	}
	all := []store.Named{people, byMail, byTeam, notes, trail}
	s := snapshot()
	if changed(s, all...) {
		t.Error("changed though nothing was written")
	}
	if !changed(store.Snapshot{}, people) {
		t.Error("the zero snapshot is current")
	}
	update(t, db, func(tx *store.Tx) error { return people.Put(tx, person{ID: "ann", Mail: "a", Team: "t"}) })
	if !changed(s, people) || !changed(s, byTeam) || !changed(s, notes, people) {
		t.Error("a write went unnoticed")
	}
	if changed(s, byMail, notes, trail) {
		t.Error("buckets changed that were not written")
	}
	s = snapshot()
	if changed(s, all...) {
		t.Error("a new snapshot is old")
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		if err := people.Put(tx, person{ID: "ann"}); err != nil {
			return err
		}
		return errors.ErrUnsupported
	}); err != errors.ErrUnsupported {
		t.Fatal(err)
	}
	if changed(s, all...) {
		t.Error("changed by an update that failed")
	}
	update(t, db, func(tx *store.Tx) error {
		if err := trail.Append(tx, 1, nil); err != nil {
			return err
		}
		if !tx.Changed(s, trail) || tx.Changed(s, notes) {
			t.Error("wrong about what the update itself wrote")
		}
		s = tx.Snapshot()
		return nil
	})
	if !changed(s, trail) {
		t.Error("a snapshot taken in an update counts what it wrote")
	}
	other := storetest.Once(t)
	update(t, other, func(tx *store.Tx) error {
		if !tx.Changed(s, notes) {
			t.Error("the snapshot of another DB is current")
		}
		return nil
	})
}

func TestChangedInBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.Once(t)
		insert(t, db, notes, note{ID: "x"})
		var s store.Snapshot
		view(t, db, func(tx *store.Tx) error {
			s = tx.Snapshot()
			return nil
		})
		g := closeGate(db)
		var before, after bool
		go db.Update(context.Background(), func(tx *store.Tx) error {
			before = tx.Changed(s, trail)
			return trail.Append(tx, 1, nil)
		})
		synctest.Wait()
		go db.Update(context.Background(), func(tx *store.Tx) error {
			after = tx.Changed(s, trail)
			return nil
		})
		g.release(t)
		if before || !after {
			t.Errorf("before %v, after %v", before, after)
		}
	})
}
