package daemon

import (
	"cmp"
	"slices"
	"sync"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// maxWaiting is how many connections there may be on which nobody has said yet what
// they are for. They take no place of those that have.
const maxWaiting = 64

// places are what there is for clients. A request that does something takes one, for
// as long as it is carried out; to be asked how the daemon is takes none.
type places struct {
	all   int // requests at a time
	share int // of one user

	mu      sync.Mutex // guards what follows
	taken   map[int]int
	waiting []*connection // without a request, oldest first
}

// newPlaces returns that many places. Where others than ourselves may be clients, none
// of them gets more than half.
func newPlaces(n int, others bool) *places {
	share := n
	if others {
		share = max(1, n/2)
	}
	return &places{all: n, share: share, taken: map[int]int{}}
}

// await notes that a connection has come on which a request is to follow. If there are
// too many, one of those gives way: the oldest one of whoever has most of them.
func (p *places) await(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = append(p.waiting, c)
	if len(p.waiting) <= maxWaiting {
		return
	}
	of := map[int]int{}
	for _, w := range p.waiting {
		of[w.peer.UID]++
	}
	most := slices.MaxFunc(p.waiting, func(a, b *connection) int { return cmp.Compare(of[a.peer.UID], of[b.peer.UID]) })
	p.remove(most)
	go most.turnAway(busy)
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

// take takes a place for a user. leave gives it back; without one it is nil.
func (p *places) take(uid int) (leave func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	total := 0
	for _, n := range p.taken {
		total += n
	}
	if total >= p.all || p.taken[uid] >= p.share {
		return nil
	}
	p.taken[uid]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.taken[uid]--; p.taken[uid] == 0 {
			delete(p.taken, uid)
		}
	}
}

// busy is the answer to a client for which there is no place.
var busy = ipc.Response{
	Error: "the daemon serves as many clients as it may", ErrorCode: ipc.Busy,
	Hint: "try again when one of them has ended, or start the daemon with more --max-connections",
}
