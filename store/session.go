package store

import (
	"sync"
	"sync/atomic"
)

// A MAC makes the tags of rows. RowTag must not return the same tag for
// different arguments, nor for the same under another key, and is called
// concurrently.
type MAC interface {
	RowTag(bucket string, key, value []byte) [32]byte
}

// A session is the time between two calls of SetMAC.
type session struct {
	mac    MAC // nil while sealed
	memory memory
	use    sync.RWMutex // held for reading by each transaction, for writing by its end
}

// sessions holds the current session, and must be given a first one.
type sessions struct {
	current atomic.Pointer[session]
}

// enter returns the current session for one transaction, which must leave it.
func (s *sessions) enter() *session {
	for {
		// The lock is only ever denied to who took a session from just before
		// its end; a transaction inside another must not wait there.
		if now := s.current.Load(); now.use.TryRLock() {
			if s.current.Load() == now {
				return now
			}
			now.use.RUnlock()
		}
	}
}

func (s *session) leave() { s.use.RUnlock() }

// change begins a new session and waits until the old one has no users.
func (s *sessions) change(m MAC) {
	old := s.current.Swap(&session{mac: m})
	old.use.Lock()
	defer old.use.Unlock()
}
