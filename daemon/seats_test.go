package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// One caller has no more than its share of the users that programs can be, waits a while for
// one of its own, and takes none from another.
func TestSeatsAreShared(t *testing.T) {
	for all, share := range map[int]int{1: 1, 2: 1, 3: 2, 4: 3, 8: 6, 64: 48} {
		if s := newSeats(all); s.share != share {
			t.Errorf("of %d one caller may have %d, not %d", all, s.share, share)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		ctx := t.Context()
		s := newSeats(3)
		take := func(uid int, want bool) func() {
			t.Helper()
			leave, err := s.take(ctx, uid, seatTimeout)
			if e, isShare := errors.AsType[*seatError](err); want != (err == nil) || !want && (!isShare || e.uid != uid) {
				t.Fatalf("uid %d: %v", uid, err)
			}
			return leave
		}
		a := take(1000, true)
		take(1000, true)
		began := time.Now()
		take(1000, false)
		if d := time.Since(began); d != seatTimeout {
			t.Errorf("it took %v", d)
		}
		take(1001, true)()
		if d := time.Since(began); d != seatTimeout {
			t.Errorf("another caller waited: %v", d)
		}
		go func() {
			time.Sleep(seatTimeout / 2)
			a()
		}()
		take(1000, true)
		if d := time.Since(began); d != seatTimeout*3/2 {
			t.Errorf("it was not told at once: %v", d)
		}
		gone, cancel := context.WithCancelCause(ctx)
		cancel(errGone)
		if _, err := s.take(gone, 1000, seatTimeout); !errors.Is(err, errGone) {
			t.Errorf("a client that went: %v", err)
		}
		if len(s.taken) != 1 || s.taken[1000] != 2 {
			t.Errorf("taken %v", s.taken)
		}
	})
}
