package daemon

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
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

// places are what there is for clients. A request that does something takes one, for
// as long as it is carried out; to be asked how the daemon is takes none. Where there is
// none, a request waits: a place that is left goes to whoever has fewest.
type places struct {
	all   int // requests at a time
	share int // of one user
	most  int // that wait for a place, and that nobody has heard yet

	leaving chan struct{} // those that are turned away

	mu      sync.Mutex // guards what follows
	taken   map[int]int
	queue   []*waiter     // for a place, oldest first
	waiting []*connection // without a request, oldest first
}

// A waiter waits for a place.
type waiter struct {
	uid  int
	done chan struct{} // closed when it has one, or has had to give way
	has  bool          // guarded by the mutex of the places
}

// newPlaces returns that many places. Where others than ourselves may be clients, none
// of them gets more than half.
func newPlaces(n int, others bool) *places {
	share := n
	if others {
		share = max(1, n/2)
	}
	return &places{all: n, share: share, most: max(fewPlaces, n/2), leaving: make(chan struct{}, fewPlaces), taken: map[int]int{}}
}

// await notes that a connection has come on which a request is to follow. They take no
// place of those on which one came. If there are too many, one of them gives way: the
// oldest one of the process with most of them, of whoever has most of them.
func (p *places) await(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, c)
	if len(p.waiting) <= p.most {
		return
	}
	of, by := map[int]int{}, map[int]int{}
	for _, w := range p.waiting {
		of[w.peer.UID]++
		by[w.peer.PID]++
	}
	most := slices.MaxFunc(p.waiting, func(a, b *connection) int {
		return cmp.Or(cmp.Compare(of[a.peer.UID], of[b.peer.UID]), cmp.Compare(by[a.peer.PID], by[b.peer.PID]))
	})
	p.remove(most)
	most.giveWay()
}

// heard notes that nothing is awaited on a connection any more, and reports whether it
// has not had to give way meanwhile.
func (p *places) heard(c *connection) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.remove(c)
}

func (p *places) remove(c *connection) bool {
	i := slices.Index(p.waiting, c)
	if i < 0 {
		return false
	}
	p.waiting = slices.Delete(p.waiting, i, i+1)
	return true
}

// take waits until a user may have one more place, but no longer than that. The function
// it returns gives it back. It returns that, or errBusy, or why ctx has ended.
func (p *places) take(ctx context.Context, uid int, patience time.Duration) (leave func(), err error) {
	w := p.ask(uid)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if p.settled(w) {
		return func() { p.leave(uid) }, nil
	}
	return nil, cmp.Or(err, errBusy)
}

// ask has a user's request wait. If too many do, one of them gives way: the newest one of
// whoever has most of them.
func (p *places) ask(uid int) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	w := &waiter{uid: uid, done: make(chan struct{})}
	p.queue = append(p.queue, w)
	p.admit()
	if len(p.queue) <= p.most {
		return w
	}
	of := map[int]int{}
	for _, w := range p.queue {
		of[w.uid]++
	}
	slices.Reverse(p.queue)
	most := slices.MaxFunc(p.queue, func(a, b *waiter) int { return cmp.Compare(of[a.uid], of[b.uid]) })
	slices.Reverse(p.queue)
	p.call(most)
	return w
}

// settled has a request wait no longer, and reports whether it has a place.
func (p *places) settled(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.Contains(p.queue, w) {
		p.call(w)
	}
	return w.has
}

// leave gives a place of a user's back.
func (p *places) leave(uid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[uid]--; p.taken[uid] == 0 {
		delete(p.taken, uid)
	}
	p.admit()
}

// admit gives the places that are free to those who wait. The caller holds mu.
func (p *places) admit() {
	total := 0
	for _, n := range p.taken {
		total += n
	}
	for ; total < p.all; total++ {
		var next *waiter
		for _, w := range p.queue {
			if p.taken[w.uid] < p.share && (next == nil || p.taken[w.uid] < p.taken[next.uid]) {
				next = w
			}
		}
		if next == nil {
			return
		}
		p.taken[next.uid]++
		next.has = true
		p.call(next)
	}
}

// call takes a request out of the queue. The caller holds mu.
func (p *places) call(w *waiter) {
	i := slices.Index(p.queue, w)
	p.queue = slices.Delete(p.queue, i, i+1)
	close(w.done)
}

// quietWait is how long a request may wait before its client is told.
const quietWait = time.Second

// place takes a place for a request of a program. It returns what take does, also with a
// [harden.Ended] for a signal that would end the program.
func (d *Daemon) place(ctx context.Context, c *connection, req ipc.Request, signals <-chan ipc.Signal) (leave func(), err error) {
	return awaited(ctx, signals, func(ctx context.Context) (func(), error) {
		if req.Queue {
			told := time.AfterFunc(quietWait, func() { c.answer(ipc.Response{OK: true, Queued: true}) })
			defer told.Stop()
		}
		return c.places.take(ctx, c.peer.UID, placeTimeout)
	})
}

// errBusy is what a client hears for which there is no place.
var errBusy = client.WithHint(errors.New("the daemon serves as many clients as it may"),
	"try again when one of them has ended, or start the daemon with more --max-connections")

// busy is the answer to it.
var busy = ipc.Response{Error: errBusy.Error(), ErrorCode: ipc.Busy, Hint: client.Hint(errBusy)}
