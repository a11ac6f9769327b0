package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// Where several users may be clients none takes all places, and who finds none waits for
// one, but not for ever.
func TestPlacesAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(4, true)
		take := func(uid int) func() {
			began := time.Now()
			leave, err := p.take(t.Context(), uid, placeTimeout)
			if waited := time.Since(began); err == nil && waited != 0 || err != nil && (!errors.Is(err, errBusy) || waited != placeTimeout) {
				t.Errorf("%v after %v", err, waited)
			}
			return leave
		}
		a, b := take(1), take(1)
		if a == nil || b == nil || take(1) != nil {
			t.Fatal("half of four are two")
		}
		c, d := take(2), take(3)
		if c == nil || d == nil || take(4) != nil {
			t.Fatal("four are four")
		}
		a()
		if take(4) == nil {
			t.Error("a place that was left is not there again")
		}
		if p = newPlaces(1, true); take(1) == nil || take(2) != nil {
			t.Error("one place is anybody's, once")
		}
		p = newPlaces(2, false)
		for range 2 {
			if take(1) == nil {
				t.Error("who is alone does not have all")
			}
		}
		gone, leave := context.WithCancelCause(t.Context())
		leave(errGone)
		if _, err := p.take(gone, 1, placeTimeout); !errors.Is(err, errGone) {
			t.Errorf("who is gone: %v", err)
		}
	})
}

// A place that is left goes to whoever has fewest, however many others wait longer; and
// where too many wait it is theirs that give way.
func TestWhoGetsAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(4, true)
		var leave []func()
		for _, uid := range []int{1, 1, 2, 3} {
			f, err := p.take(t.Context(), uid, 0)
			if err != nil {
				t.Fatal(err)
			}
			leave = append(leave, f)
		}
		type end struct {
			uid, n int
			err    error
		}
		ends := make(chan end, 2*p.most)
		wait := func(uid, n int) {
			go func() {
				_, err := p.take(t.Context(), uid, placeTimeout)
				ends <- end{uid, n, err}
			}()
			synctest.Wait()
		}
		for n := range p.most {
			wait(2, n)
		}
		wait(4, 0)
		if e := <-ends; e.uid != 2 || e.n != p.most-1 || !errors.Is(e.err, errBusy) {
			t.Errorf("%+v gave way", e)
		}
		leave[0]()
		if e := <-ends; e != (end{4, 0, nil}) {
			t.Errorf("%+v got the place of one who has others", e)
		}
		leave[1]()
		if e := <-ends; e != (end{2, 0, nil}) {
			t.Errorf("%+v got the next one", e)
		}
		leave[3]()
		synctest.Wait()
		if len(ends) != 0 {
			t.Errorf("%+v has more than half", <-ends)
		}
		time.Sleep(placeTimeout)
		synctest.Wait()
		if len(ends) != p.most-2 || len(p.queue) != 0 {
			t.Errorf("%d have waited long enough, and %d still wait", len(ends), len(p.queue))
		}
	})
}
