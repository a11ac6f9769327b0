package store

import "sync"

// marks remembers which commit wrote each table last, since the file was
// opened. The zero value is ready.
type marks struct {
	mu   sync.Mutex
	last map[string]uint64 // guarded by mu
}

// set notes that commit id writes the named tables. It is called before the
// commit can be seen, and stays if it fails: too early is on the safe side.
func (m *marks) set(names map[string]struct{}, id uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = map[string]uint64{}
	}
	for n := range names {
		m.last[n] = id
	}
}

// get returns the last commit that wrote the named table, 0 if none did.
func (m *marks) get(name string) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[name]
}

// reset forgets everything: commits are counted anew.
func (m *marks) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = nil
}
