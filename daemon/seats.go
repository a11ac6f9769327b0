package daemon

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/cortex-auth/cortex/client"
)

// seats see to it that no caller has all the users that programs can be, where those are
// others than the callers: some are left to the others.
type seats struct {
	users int
	shares
}

// seatTimeout is how long a run waits for one of its caller's to end.
const seatTimeout = 5 * time.Second

// newSeats returns those of n users: a quarter is left to others, and one at least.
func newSeats(n int) *seats {
	// Which of them is free, the spawners know; and those who wait have a place each.
	return &seats{n, shares{all: math.MaxInt, share: max(1, n-max(1, n/4)), most: math.MaxInt, taken: map[int]int{}}}
}

// take waits until a caller may have one more of the users, but no longer than that. The
// function it returns gives that back.
func (s *seats) take(ctx context.Context, uid int, patience time.Duration) (leave func(), err error) {
	leave, err = s.shares.take(ctx, uid, patience)
	if errors.Is(err, errBusy) {
		err = client.WithHint(&seatError{uid, s.share, s.users}, moreUsers)
	}
	return leave, err
}

// A seatError says that a caller has as many programs running as it may.
type seatError struct{ uid, share, all int }

func (e *seatError) Error() string {
	return fmt.Sprintf("uid %d runs as many programs as one caller may (%d): there are %d users for the programs of all", e.uid, e.share, e.all)
}

// moreUsers is what to do where there are too few.
const moreUsers = "wait for one to end, or have root make more users: sudo cortex install daemon --isolated --run-users N"
