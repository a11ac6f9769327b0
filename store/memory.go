package store

import "sync"

// A memory keeps rows of some tables as they were read and checked, so that
// what everybody asks for is decoded and its tag computed once. It belongs to a
// session: with the MAC that tells what is genuine, everything is forgotten.
//
// A row is remembered with the last commit that its reader saw. It is good for
// another reader if neither of the two could have seen a different one: if the
// table was last written by a commit that both saw. What is changed in the file
// behind our back is not noticed while a row is remembered, nor is it believed.
//
// It is bounded: what was not asked for since the last generation began is
// forgotten when the next one does.
type memory struct {
	mu         sync.Mutex // guards what follows
	young, old map[place]memo
	size       int // of young, about
}

// A place is where a row lies.
type place struct {
	table *table
	key   Key
}

// A memo is a row, or for an index the key of one; nil where there is none.
type memo struct {
	of    *engine // that it was read from, which counts commits for itself
	id    uint64  // of the last commit its reader saw
	value any
	size  int // about
}

const (
	generation = 4 << 20 // how much a generation may hold, about
	memorable  = 4 << 10 // the longest row that is kept
	memoSize   = 256     // what a memo takes besides its row
)

func (m *memory) get(p place) (memo, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, ok := m.young[p]
	if ok {
		return e, true
	}
	if e, ok = m.old[p]; ok {
		m.add(p, e)
	}
	return e, ok
}

// forget forgets everything.
func (m *memory) forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.young, m.old, m.size = nil, nil, 0
}

func (m *memory) put(p place, e memo) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(p, e)
}

func (m *memory) add(p place, e memo) {
	m.size += e.size - m.young[p].size
	if m.size > generation {
		m.old, m.young, m.size = m.young, nil, e.size
	}
	if m.young == nil {
		m.young = map[place]memo{}
	}
	m.young[p] = e
}

// recall returns what is remembered of a place, if it is what tx would find
// there. Updates read for themselves: they are about to change what they read.
func (t *table) recall(tx *Tx, key Key) (any, bool) {
	c := tx.core
	if !t.kept || c == nil || c.mac == nil || c.engine.Writable() {
		return nil, false
	}
	e, ok := c.memory.get(place{t, key})
	if !ok || e.of != c.of {
		return nil, false
	}
	written := c.db.marks.get(t.name)
	return e.value, written <= e.id && written <= uint64(c.engine.ID())
}

// remember keeps what tx found in a place, in a body of that many bytes.
func (t *table) remember(tx *Tx, key Key, value any, bytes int) {
	c := tx.core
	if t.kept && bytes <= memorable && !c.engine.Writable() {
		// Decoded, it takes about twice as much.
		c.memory.put(place{t, key}, memo{c.of, uint64(c.engine.ID()), value, memoSize + len(key) + 2*bytes})
	}
}
