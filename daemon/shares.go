package daemon

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"
)

// shares divide so many of something among users. A request that finds none left, or whose
// user has as many as one may, waits: one that is given back goes to whoever has fewest.
type shares struct {
	all   int // there are
	share int // of one user
	most  int // requests that wait

	mu    sync.Mutex  // guards what follows
	taken map[int]int // by each user
	queue []*waiter   // oldest first
}

// A waiter is a request that waits.
type waiter struct {
	uid  int
	done chan struct{} // closed when it has one, or has had to give way
	has  bool          // guarded by the mutex of the shares
}

// take waits until a user may have one more, but no longer than that. The function
// it returns gives it back. It returns that, or errBusy, or why ctx has ended.
func (s *shares) take(ctx context.Context, uid int, patience time.Duration) (leave func(), err error) {
	w := s.ask(uid)
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-w.done:
	case <-late.C:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if s.settled(w) {
		return func() { s.leave(uid) }, nil
	}
	return nil, cmp.Or(err, errBusy)
}

// ask has a user's request wait. If too many do, one of them gives way: the newest one of
// whoever has most of them.
func (s *shares) ask(uid int) *waiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := &waiter{uid: uid, done: make(chan struct{})}
	s.queue = append(s.queue, w)
	s.admit()
	if len(s.queue) <= s.most {
		return w
	}
	of := map[int]int{}
	for _, w := range s.queue {
		of[w.uid]++
	}
	slices.Reverse(s.queue)
	most := slices.MaxFunc(s.queue, func(a, b *waiter) int { return cmp.Compare(of[a.uid], of[b.uid]) })
	slices.Reverse(s.queue)
	s.call(most)
	return w
}

// settled has a request wait no longer, and reports whether it has one.
func (s *shares) settled(w *waiter) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.Contains(s.queue, w) {
		s.call(w)
	}
	return w.has
}

// leave gives one of a user's back.
func (s *shares) leave(uid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[uid]--; s.taken[uid] == 0 {
		delete(s.taken, uid)
	}
	s.admit()
}

// admit gives those that are free to those who wait. The caller holds mu.
func (s *shares) admit() {
	total := 0
	for _, n := range s.taken {
		total += n
	}
	for ; total < s.all; total++ {
		var next *waiter
		for _, w := range s.queue {
			if s.taken[w.uid] < s.share && (next == nil || s.taken[w.uid] < s.taken[next.uid]) {
				next = w
			}
		}
		if next == nil {
			return
		}
		s.taken[next.uid]++
		next.has = true
		s.call(next)
	}
}

// call takes a request out of the queue. The caller holds mu.
func (s *shares) call(w *waiter) {
	i := slices.Index(s.queue, w)
	s.queue = slices.Delete(s.queue, i, i+1)
	close(w.done)
}
