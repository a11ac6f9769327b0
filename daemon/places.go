package daemon

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/daemon/ipc"
)

// How many requests are carried out at a time where nobody says how many: fewPlaces,
// and up to manyPlaces where there may be filesOfPlace open files for each.
const (
	fewPlaces    = 64
	manyPlaces   = 512
	filesOfPlace = 2 * ipc.MaxFiles // as many may wait
)

// defaultPlaces returns how many places there are where nobody says.
func defaultPlaces() int {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		return fewPlaces
	}
	return int(min(manyPlaces, max(fewPlaces, files.Cur/filesOfPlace)))
}

// placeTimeout is how long a request waits for a place.
const placeTimeout = 30 * time.Second

// newPlaces returns that many places: a request that does something takes one, for as long
// as it is carried out; to be asked how the daemon is takes none. Where others than ourselves
// may be clients, none of them gets more than half.
func newPlaces(n int, others bool) *shares {
	share := n
	if others {
		share = max(1, n/2)
	}
	return &shares{all: n, share: share, most: max(fewPlaces, n/2), taken: map[int]int{}}
}

// quietWait is how long a request may wait before its client is told.
const quietWait = time.Second

// place takes a place for a request of a program. It returns what take does, also with a
// [harden.Ended] for a signal that would end the program.
func (j *job) place(ctx context.Context) (leave func(), err error) {
	return awaited(ctx, j.signals, func(ctx context.Context) (func(), error) {
		if j.req.Queue {
			told := time.AfterFunc(quietWait, func() { j.c.answer(ipc.Response{OK: true, Queued: true}) })
			defer told.Stop()
		}
		return j.c.places.take(ctx, j.c.peer.UID, placeTimeout)
	})
}

// errBusy is what a client hears for which there is no place.
var errBusy = client.WithHint(errors.New("the daemon serves as many clients as it may"),
	"try again when one of them has ended, or start the daemon with more --max-connections")
