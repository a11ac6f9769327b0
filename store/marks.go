package store

import (
	"maps"
	"sync/atomic"
)

// marks remembers which commit wrote each table last, since the file was
// opened. The zero value is ready. One goroutine sets at a time, the
// committer; those who get wait for nobody.
type marks struct {
	last atomic.Pointer[map[string]uint64] // what it points to never changes
}

// set notes that commit id writes the named tables. It is called before the
// commit can be seen, and stays if it fails: too early is on the safe side.
func (m *marks) set(names map[string]struct{}, id uint64) {
	next := map[string]uint64{}
	if last := m.last.Load(); last != nil {
		maps.Copy(next, *last)
	}
	for n := range names {
		next[n] = id
	}
	m.last.Store(&next)
}

// get returns the last commit that wrote the named table, 0 if none did.
func (m *marks) get(name string) uint64 {
	if last := m.last.Load(); last != nil {
		return (*last)[name]
	}
	return 0
}
