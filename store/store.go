// Package store keeps typed rows in one file.
//
// A [Bucket] is declared beside the record it holds, with the indexes it is
// found by; a [Log] holds values in sequence, a [Plain] values that need no tag.
// None of them holds data: a [DB] is the file, and everything happens in a [Tx], in
// a function passed to [DB.View] or [DB.Update]:
//
//	var agents = store.Rows[agentRow]("agent")
//
//	err := db.Update(ctx, func(tx *store.Tx) error {
//		return agents.Insert(tx, agentRow{Name: "a"})
//	})
//
// When Update returns nil, what it wrote is on the disk. Updates that come at
// the same time share one write to the disk.
//
// The store knows bytes, not secrets: whoever keeps secrets in it encrypts them
// first. But it notices when rows are edited, copied or moved in the file by
// somebody who lacks the key of its [MAC]. It does not notice when a row is
// deleted in the file, or an older one that lay in the same place put back.
//
// The engine below is bbolt, and nothing above this package knows it.
package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

// A DB is an open database file. Its methods may be called concurrently.
type DB struct {
	path     string
	created  bool
	discard  bool // what was created is to go
	readOnly bool
	log      *slog.Logger
	fatal    func(error)
	twice    bool // see Options.TestOnlyTwice

	engine     atomic.Pointer[engine]
	compacting chan struct{} // has something while the file is compacted
	writing    sync.Mutex    // held while the file is written, or replaced
	closed     bool          // guarded by writing
	changed    *changes      // likewise
	sessions   sessions
	marks      marks
	tables     sync.Map // name → *table, of those used so far
	commits    *committer
	broken     atomic.Pointer[failure]
	release    func() error // undoes what Open did
}

// An engine is an open file. Compacting the DB replaces it.
type engine struct {
	*bolt.DB
	file    *os.File     // the engine's own
	reading sync.RWMutex // held for reading by each view, for writing by Close
}

// Close waits for the views that read the file, and closes it.
func (e *engine) Close() error {
	e.reading.Lock()
	defer e.reading.Unlock()
	return e.DB.Close()
}

// Stats counts since the DB was opened, and says how it is.
type Stats struct {
	// Commits is how often the file was committed.
	Commits uint64
	// Updates is how many updates succeeded in those commits. An update that
	// wrote nothing needs no commit of its own.
	Updates uint64
	// Reserve is how many bytes of the disk are held back: see
	// [Options.Reserve].
	Reserve int64
}

// Created reports whether Open made the file.
func (db *DB) Created() bool { return db.created }

// Path returns the absolute path of the file, symbolic links resolved.
func (db *DB) Path() string { return db.path }

// Size returns the size of the file, in bytes.
func (db *DB) Size() (int64, error) {
	info, err := os.Stat(db.path)
	if err != nil {
		return 0, fmt.Errorf("looking at the database: %w", err)
	}
	return info.Size(), nil
}

// Stats returns what was counted so far.
func (db *DB) Stats() Stats {
	if db.commits == nil {
		return Stats{}
	}
	// In this order there is never a commit without its updates.
	commits := db.commits.commits.Load()
	return Stats{Commits: commits, Updates: db.commits.updates.Load(), Reserve: db.commits.reserve.bytes()}
}

// SetMAC sets what tags are made and checked with; nil seals the DB. A
// transaction that has begun keeps the MAC it began with: SetMAC returns when
// none is left, and the previous MAC can be destroyed. It must not be called
// from within a transaction.
func (db *DB) SetMAC(m MAC) { db.sessions.change(m) }

// View calls fn with a transaction that reads. It returns what fn returns, or
// the context's error if that ended before, ErrClosed, or ErrDamaged if the
// file cannot be read. Views wait for nobody and nobody waits for them; but a
// View that lasts keeps the space that is freed meanwhile from being used
// again, and when the file outgrows its mapping (1 GiB at first) an update
// waits for all views to end. So fn should be short, and must not call Update,
// SetMAC or Close.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := db.failure(); err != nil {
		return err
	}
	s := db.sessions.enter()
	defer s.leave()
	e, err := db.enter()
	if err != nil {
		return err
	}
	defer e.reading.RUnlock()
	tx, err := e.begin(false)
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return ErrClosed
	}
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return newCore(db, e, tx, s).run(fn)
}

// enter returns the engine for one view, which must leave it.
func (db *DB) enter() (*engine, error) {
	for {
		e := db.engine.Load()
		entered := e.reading.TryRLock()
		if e == db.engine.Load() {
			if !entered {
				return nil, ErrClosed // or about to be
			}
			return e, nil
		}
		// It was replaced just now.
		if entered {
			e.reading.RUnlock()
		}
	}
}

// Update calls fn with a transaction that reads and writes. When it returns nil
// what fn wrote is on the disk; when it returns an error, which is fn's or one
// of those below, nothing of it is.
//
// Updates run one after the other, as if each were alone; several are committed
// together. For that, fn may run more than once: it must set what it captures
// rather than add to it, and do nothing that a repetition would spoil. It must
// not call View, Update, SetMAC or Close of the same DB. If fn panics, or calls
// [runtime.Goexit], that comes out of Update, and nothing is written.
//
// If ctx ends before fn was run, Update returns ctx.Err; after that it waits
// for the outcome. ErrFull says that there was no room on the disk. Any other
// failure to commit makes the DB fail: see [Options.Fatal].
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if db.readOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	u := newUpdate(fn, ctx.Err)
	if err := db.commits.add(u); err != nil {
		return err
	}
	select {
	case <-u.done:
	case <-ctx.Done():
		if u.state.CompareAndSwap(waiting, left) {
			return ctx.Err()
		}
		<-u.done
	}
	db.commits.returned()
	return u.result()
}

// declare notes that t is used. Two tables of one name would overwrite each
// other.
func (db *DB) declare(t *table) {
	if now, _ := db.tables.LoadOrStore(t.name, t); now != t {
		panic("store: bucket " + t.name + " is declared twice")
	}
}
