package daemon

import (
	"cmp"
	"slices"
	"sync"
)

// arrivals are the connections on which a request is to follow. They take no place of
// those on which one came.
type arrivals struct {
	most    int           // at a time
	leaving chan struct{} // those that are turned away

	mu      sync.Mutex    // guards what follows
	waiting []*connection // oldest first
}

func newArrivals(most int) *arrivals {
	return &arrivals{most: most, leaving: make(chan struct{}, fewPlaces)}
}

// await notes that a connection has come on which a request is to follow. If there
// are too many, one of them gives way: the oldest one of the process with most of them, of
// whoever has most of them.
func (a *arrivals) await(c *connection) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, c)
	if len(a.waiting) <= a.most {
		return
	}
	of, by := map[int]int{}, map[int]int{}
	for _, w := range a.waiting {
		of[w.peer.UID]++
		by[w.peer.PID]++
	}
	most := slices.MaxFunc(a.waiting, func(x, y *connection) int {
		return cmp.Or(cmp.Compare(of[x.peer.UID], of[y.peer.UID]), cmp.Compare(by[x.peer.PID], by[y.peer.PID]))
	})
	a.remove(most)
	most.giveWay()
}

// heard notes that nothing is awaited on a connection any more, and reports whether it
// has not had to give way meanwhile.
func (a *arrivals) heard(c *connection) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.remove(c)
}

func (a *arrivals) remove(c *connection) bool {
	i := slices.Index(a.waiting, c)
	if i < 0 {
		return false
	}
	a.waiting = slices.Delete(a.waiting, i, i+1)
	return true
}
