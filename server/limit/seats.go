package limit

import "sync"

// Seats are for those who stay for a while: so many in all, and so many of
// each key. They are safe for concurrent use.
type Seats struct {
	all, each int

	mu    sync.Mutex // guards what follows
	taken int
	of    map[string]int
}

// NewSeats returns that many seats, of which each key may have so many.
func NewSeats(all, each int) *Seats {
	return &Seats{all: all, each: each, of: map[string]int{}}
}

// Take takes a seat that counts for every one of the keys, and returns what
// gives it back, once. Where there is none it takes nothing and reports false.
func (s *Seats) Take(keys ...string) (leave func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken >= s.all {
		return nil, false
	}
	for _, k := range keys {
		if s.of[k] >= s.each {
			return nil, false
		}
	}
	s.taken++
	for _, k := range keys {
		s.of[k]++
	}
	return sync.OnceFunc(func() { s.leave(keys) }), true
}

func (s *Seats) leave(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taken--
	for _, k := range keys {
		if s.of[k]--; s.of[k] == 0 {
			delete(s.of, k)
		}
	}
}

// Taken returns how many seats are taken.
func (s *Seats) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken
}
