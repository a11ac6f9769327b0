package store

import (
	bolt "go.etcd.io/bbolt"
)

// A Tx is the store as one function passed to View or Update sees it: nobody
// else's writes appear while it runs. It must not be used by two goroutines at
// a time, nor after the function has returned.
type Tx struct {
	core *core // nil once the function has returned
}

// A core is a transaction of the engine. Updates that are committed together
// share one, and have a Tx each.
type core struct {
	db      *DB
	of      *engine
	engine  *bolt.Tx
	mac     MAC     // nil while sealed
	memory  *memory // of the session
	open    map[string]*bolt.Bucket
	written map[string]struct{}
	noting  bool     // what changes, for a compaction
	changed []change // if so
	writes  int      // grows with every write
	bytes   int      // of keys and values put
	share   Share    // of the reserve, for the update that runs
}

func newCore(db *DB, of *engine, tx *bolt.Tx, s *session) *core {
	return &core{db: db, of: of, engine: tx, mac: s.mac, memory: &s.memory, open: map[string]*bolt.Bucket{}}
}

// run calls fn with a Tx of its own. It turns a fault in the mapped file into
// ErrDamaged and lets every other panic through.
func (c *core) run(fn func(*Tx) error) error {
	tx := &Tx{core: c}
	defer func() { tx.core = nil }()
	return guard(func() error { return fn(tx) })
}

// wrote notes that the named table changes.
func (c *core) wrote(name string) {
	if c.written == nil {
		c.written = map[string]struct{}{}
	}
	c.written[name] = struct{}{}
	c.writes++
}

// note notes that the place under key changes, if somebody wants to know.
func (c *core) note(table string, key Key) {
	if c.noting {
		c.changed = append(c.changed, change{table, string(key)})
	}
}

// Touch makes a bucket count as changed for [Tx.Changed], and has its rows read
// anew.
func (tx *Tx) Touch(b Named) { tx.core.wrote(b.Name()) }

// A Snapshot says what a transaction saw, for [Tx.Changed]. The zero Snapshot
// saw nothing.
type Snapshot struct {
	of *engine
	id uint64 // of the last commit seen
}

// Snapshot returns what tx sees. Taken in an Update, it does not count what the
// update writes, nor what others wrote that are committed together with it.
func (tx *Tx) Snapshot() Snapshot {
	id := uint64(tx.core.engine.ID())
	if tx.core.engine.Writable() {
		id-- // the engine counts a write transaction before it commits
	}
	return Snapshot{tx.core.of, id}
}

// Changed reports whether any of the buckets may have been written since the
// snapshot was taken: by an update that committed since, by one that ran before
// tx and is to be committed with it, or by tx itself. It errs on the side of
// true. If it returns false, whatever was read from the buckets then is what
// would be read from them in tx now.
//
// An index is written only when a row's index key changes, so an answer found
// through it may be asked for by its bucket alone only if the bucket's rows
// were looked at.
func (tx *Tx) Changed(s Snapshot, buckets ...Named) bool {
	c := tx.core
	if s.of != c.of {
		return true // another DB, or its file was replaced, which counts anew
	}
	for _, b := range buckets {
		if _, ok := c.written[b.Name()]; ok || c.db.marks.get(b.Name()) > s.id {
			return true
		}
	}
	return false
}
