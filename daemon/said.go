package daemon

import "sync"

// A said tells what there is to say once. The zero value has said nothing.
type said[T comparable] struct {
	mu  sync.Mutex // guards all
	all map[T]bool
}

// maxSaid bounds what clients can make the daemon remember of a project.
const maxSaid = 4096

// news returns those that it has not returned before.
func (s *said[T]) news(some []T) (news []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[T]bool{}
	}
	for _, one := range some {
		if !s.all[one] && len(s.all) < maxSaid {
			news = append(news, one)
			s.all[one] = true
		}
	}
	return news
}
