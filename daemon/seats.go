package daemon

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/client"
)

// seats see to it that no caller has all the users that programs can be, where those are
// others than the callers: some are left to the others.
type seats struct {
	all   int // users
	share int // of one caller

	mu    sync.Mutex // guards what follows
	taken map[int]int
	freed chan struct{} // closed when a caller has one less
}

// seatTimeout is how long a run waits for one of its caller's to end.
const seatTimeout = 5 * time.Second

// newSeats returns those of n users: a quarter is left to others, and one at least.
func newSeats(n int) *seats {
	return &seats{all: n, share: max(1, n-max(1, n/4)), taken: map[int]int{}, freed: make(chan struct{})}
}

// take waits until a caller may have one more of the users, but no longer than that. The
// function it returns gives that back.
func (s *seats) take(ctx context.Context, uid int, patience time.Duration) (leave func(), err error) {
	late := time.After(patience)
	for {
		ok, freed := s.tryTake(uid)
		if ok {
			return func() { s.leave(uid) }, nil
		}
		select {
		case <-freed:
		case <-late:
			return nil, client.WithHint(&seatError{uid, s.share, s.all}, moreUsers)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (s *seats) tryTake(uid int) (ok bool, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[uid] >= s.share {
		return false, s.freed
	}
	s.taken[uid]++
	return true, nil
}

func (s *seats) leave(uid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[uid]--; s.taken[uid] == 0 {
		delete(s.taken, uid)
	}
	close(s.freed)
	s.freed = make(chan struct{})
}

// A seatError says that a caller has as many programs running as it may.
type seatError struct{ uid, share, all int }

func (e *seatError) Error() string {
	return fmt.Sprintf("uid %d runs as many programs as one caller may (%d): there are %d users for the programs of all", e.uid, e.share, e.all)
}

// moreUsers is what to do where there are too few.
const moreUsers = "wait for one to end, or have root make more users: sudo cortex install daemon --isolated --run-users N"
