// Package limit counts how often somebody does something, and says when it is
// too often.
//
// A [Limiter] keeps a sliding window of events for each key it has seen, and
// forgets the keys it has not seen for longest, so that nobody can make it
// grow. What a key is, its user decides: [Source] makes one of an address.
package limit

import (
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Keys is how many keys a Limiter remembers.
const Keys = 8192

// A Limiter allows each key a number of events in every window of time. It is
// safe for concurrent use.
type Limiter[K comparable] struct {
	mu   sync.Mutex // guards what follows, and the windows in seen
	rate Rate
	seen *simplelru.LRU[K, *window]
}

// New returns a Limiter for r. With the zero Rate it allows everything, and
// remembers nothing.
func New[K comparable](r Rate) *Limiter[K] {
	seen, err := simplelru.NewLRU[K, *window](Keys, nil)
	if err != nil {
		panic("limit: " + err.Error()) // unreachable: the size is positive
	}
	return &Limiter[K]{rate: r, seen: seen}
}

// Change makes r the limit from now on. Events that were counted still count.
func (l *Limiter[K]) Change(r Rate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rate = r
	if r.IsZero() {
		l.seen.Purge()
	}
}

// Exceeded is the error about a key that is over its limit.
type Exceeded struct {
	// After is how long the key has to wait, more than zero.
	After time.Duration
}

func (e *Exceeded) Error() string {
	return fmt.Sprintf("too many requests; try again in %s", e.After.Round(time.Second))
}

// Take counts one event of key. If that would be too many it counts nothing
// and returns an *[Exceeded].
func (l *Limiter[K]) Take(key K) error {
	return l.look(key, true)
}

// Check returns what Take would, and counts nothing.
func (l *Limiter[K]) Check(key K) error {
	return l.look(key, false)
}

func (l *Limiter[K]) look(key K, count bool) error {
	now := time.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rate.IsZero() {
		return nil
	}
	w, ok := l.seen.Get(key)
	if !ok {
		w = &window{}
	}
	if after := w.wait(now, l.rate); after > 0 {
		return &Exceeded{After: after}
	}
	if count {
		w.events = append(w.events, now)
		l.seen.Add(key, w)
	}
	return nil
}

// A window holds the times of the events that still count, oldest first; at
// most as many as the rate allowed when they were counted.
type window struct{ events []time.Time }

// wait drops what no longer counts and returns how long it takes until one
// more event is allowed.
func (w *window) wait(now time.Time, r Rate) time.Duration {
	gone := 0
	for gone < len(w.events) && now.Sub(w.events[gone]) >= r.Per {
		gone++
	}
	if gone > 0 {
		w.events = append(w.events[:0], w.events[gone:]...)
	}
	if len(w.events) < r.N {
		return 0
	}
	return r.Per - now.Sub(w.events[len(w.events)-r.N])
}

// Source returns the key for a network address: the address itself, or for
// IPv6 its /64, which is the least that one customer gets. Those of this machine
// stay what they are.
func Source(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() && !addr.IsLoopback() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // the zero Addr: all who have no address share one key
	}
	return p
}
