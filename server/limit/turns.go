package limit

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Turns are for what one may do at a time. Who comes meanwhile waits: one of
// each key, so that nobody is behind another's crowd, and so many in all. Those
// who are let ahead come before the others, and find a place also where these
// have taken all. They are safe for concurrent use.
type Turns[K comparable] struct {
	places int

	mu    sync.Mutex // guards what follows
	taken bool
	queue []*waiter[K] // whose turn comes next, first
}

type waiter[K comparable] struct {
	key   K
	ahead bool
	turn  chan struct{} // closed when it has come
}

// NewTurns returns Turns for which that many wait.
func NewTurns[K comparable](places int) *Turns[K] { return &Turns[K]{places: places} }

// Wait waits for a turn and returns what ends it. It is an *[Exceeded] at once
// where one of that key waits already, or all places are taken; when ctx is
// over it is the context's error. If placed is not nil, it is called once there
// is a place, before the turn comes.
func (t *Turns[K]) Wait(ctx context.Context, key K, ahead bool, placed func()) (done func(), err error) {
	w, err := t.enter(key, ahead)
	if err != nil {
		return nil, err
	}
	if placed != nil {
		placed()
	}
	select {
	case <-w.turn:
		return sync.OnceFunc(t.next), nil
	case <-ctx.Done():
		t.leave(w)
		return nil, ctx.Err()
	}
}

// busy is the error about a queue that is full.
var busy = &Exceeded{After: 5 * time.Second}

func (t *Turns[K]) enter(key K, ahead bool) (*waiter[K], error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := &waiter[K]{key, ahead, make(chan struct{})}
	if !t.taken {
		t.taken = true
		close(w.turn)
		return w, nil
	}
	at, others := 0, 0
	for i, q := range t.queue {
		if q.key == key {
			return nil, busy
		}
		if q.ahead {
			at = i + 1
		} else {
			others++
		}
	}
	if !ahead {
		at = len(t.queue)
	}
	if !ahead && others >= t.places {
		return nil, busy
	}
	t.queue = slices.Insert(t.queue, at, w)
	return w, nil
}

// next gives the turn to whoever comes next.
func (t *Turns[K]) next() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		t.taken = false
		return
	}
	close(t.queue[0].turn)
	t.queue = slices.Delete(t.queue, 0, 1)
}

// leave takes a waiter out of the queue, or passes the turn on that it has got
// meanwhile.
func (t *Turns[K]) leave(w *waiter[K]) {
	t.mu.Lock()
	i := slices.Index(t.queue, w)
	if i >= 0 {
		t.queue = slices.Delete(t.queue, i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		t.next()
	}
}
