package daemon

import "sync"

// A said tells each user once what there is to say. The zero value has said nothing.
type said[T comparable] struct {
	mu  sync.Mutex // guards all
	all map[int]map[T]bool
}

// maxSaid bounds what a user can make the daemon remember of a project.
const maxSaid = 4096

// news returns those that it has not returned before for that user.
func (s *said[T]) news(uid int, some []T) (news []T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all == nil {
		s.all = map[int]map[T]bool{}
	}
	if s.all[uid] == nil {
		s.all[uid] = map[T]bool{}
	}
	for _, one := range some {
		if !s.all[uid][one] && len(s.all[uid]) < maxSaid {
			news = append(news, one)
			s.all[uid][one] = true
		}
	}
	return news
}
