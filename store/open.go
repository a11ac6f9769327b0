package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	bolt "go.etcd.io/bbolt"
)

const (
	// mapped is how much of the file is mapped from the beginning, in bytes of
	// address space: until the file is larger, no update has to wait for views.
	mapped = 1 << 30
	// growth is by how much the file grows at a time, in bytes.
	growth = 4 << 20
)

// Options say how to open a DB.
type Options struct {
	// Path is the file, absolute or relative to the working directory. Symbolic
	// links are followed. It is created with mode 0600 if there is none; its
	// directory must exist.
	Path string
	// ReadOnly opens an existing file for reading alone, and writes nothing,
	// not even beside it. Several processes may read at the same time, and no
	// one serves the file meanwhile.
	ReadOnly bool
	// Reserve is how many bytes of the disk PATH.reserve takes up, to be given up
	// for the updates that must be possible on a full disk: see
	// [Tx.UseReserve]. If zero, there is none.
	Reserve int64
	// Log receives what an operator should know. If nil, nothing is logged.
	Log *slog.Logger
	// Fatal is called once, from the goroutine that commits, after a commit
	// that failed for another reason than a lack of room. From then on
	// everything returns [ErrFailed], and the process should end: what its file
	// holds is for the next one to read from the disk. Fatal must not use the
	// DB nor wait for anyone who does. If nil, the error is logged and the
	// process exits with status 70.
	Fatal func(error)
	// TestOnlyTwice runs the functions of every batch once in vain before they
	// are run for its commit. It finds those that may not run more than once.
	TestOnlyTwice bool
}

// Open opens or creates a database file, and keeps every other process from it
// by a lock on the file and on PATH.lock, which holds the process id and stays
// behind. It returns an [*InUseError] if the file is in use, an error wrapping
// [fs.ErrNotExist] if it, or its directory, does not exist and is not to be
// created, [ErrForeign] for a file of another kind, [ErrDamaged] for one that is
// cut short, and [ErrNewer] for one that a newer version wrote; all of these are
// left as they are. ErrForeign is also the error about a file beside it that has
// a name of ours and is not. A file of an older version is migrated, unless it is opened
// for reading.
func Open(o Options) (*DB, error) {
	path, err := resolve(o.Path)
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	db := &DB{
		path:     path,
		readOnly: o.ReadOnly,
		log:      cmp.Or(o.Log, slog.New(slog.DiscardHandler)),
		fatal:    o.Fatal,
		twice:    o.TestOnlyTwice,

		compacting: make(chan struct{}, 1),
	}
	db.sessions.current.Store(&session{})
	if db.readOnly {
		err = db.openReading()
	} else {
		err = db.openWriting(o.Reserve)
	}
	if err != nil {
		return nil, fmt.Errorf("opening database: %w", err)
	}
	return db, nil
}

// Close waits for the updates that were queued and for all transactions to end,
// and closes the file. It must not be called from within a transaction. To
// close a closed DB does nothing.
func (db *DB) Close() error { return db.release() }

// Discard is Close, but of a database that Open has created nothing is left, for a
// start that came to nothing.
func (db *DB) Discard() error {
	db.discard = db.created
	return db.release()
}

// openReading opens an existing file without writing anything.
func (db *DB) openReading() error {
	f, h, err := db.openFile(os.O_RDONLY)
	if err != nil {
		return err
	}
	if err := verifyPages(f, h); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", db.path, err), f.Close())
	}
	e, err := startEngine(f, &bolt.Options{ReadOnly: true})
	if err != nil {
		return err
	}
	if err := checkSchema(e.DB); err != nil {
		return errors.Join(err, e.Close())
	}
	db.engine.Store(e)
	db.release = sync.OnceValue(e.Close)
	return nil
}

// openWriting takes the lock, creates the file if there is none, and opens it.
// Beside a file of another kind it touches nothing.
func (db *DB) openWriting(reserved int64) error {
	if err := refuseForeign(db.path); err != nil {
		return err
	}
	l, err := takeLock(db.path)
	if err != nil {
		return err
	}
	unlimit := outliveFileSizeLimit()
	settled, err := db.openLocked()
	if err != nil {
		unlimit()
		return errors.Join(err, l.release())
	}
	r, err := openReserve(db.path, reserved, db.log)
	if err != nil {
		unlimit()
		err = errors.Join(fmt.Errorf("reserve: %w", err), db.engine.Load().Close())
		if db.created {
			err = errors.Join(err, removeDatabase(db.path))
		}
		return errors.Join(err, l.release())
	}
	db.commits = newCommitter(db, r)
	db.release = sync.OnceValue(func() error {
		defer unlimit()
		db.commits.close()
		err := errors.Join(db.end(settled), r.close())
		if db.discard {
			err = errors.Join(err, removeFiles(db.path))
		}
		return errors.Join(err, l.release())
	})
	return nil
}

// removeFiles removes a database and what lies beside it. The caller holds the
// lock.
func removeFiles(path string) error {
	return errors.Join(removeDatabase(path), removeReserve(path))
}

// removeDatabase is removeFiles where there is no reserve.
func removeDatabase(path string) error {
	return errors.Join(os.Remove(path), os.Remove(lockPath(path)))
}

// openLocked is openWriting under the lock. It reports whether the list of free
// pages is in the file.
func (db *DB) openLocked() (settled bool, err error) {
	if db.created, err = create(db.path); err != nil {
		return false, err
	}
	f, h, err := db.openFile(os.O_RDWR)
	if err != nil {
		return false, err
	}
	if !db.created {
		if err := verifySoon(f, h); err != nil {
			return false, errors.Join(fmt.Errorf("%s: %w", db.path, err), f.Close())
		}
	}
	e, err := startEngine(f, &bolt.Options{InitialMmapSize: mapped})
	if err != nil {
		return false, err
	}
	if err := db.ready(e); err != nil {
		return false, errors.Join(err, e.Close())
	}
	db.engine.Store(e)
	return h.settled(), nil
}

// begin begins a transaction.
func (e *engine) begin(writable bool) (tx *bolt.Tx, err error) {
	err = guard(func() (err error) {
		tx, err = e.Begin(writable)
		return err
	})
	return tx, err
}

// ready does what is to be done to a file before it is used.
func (db *DB) ready(e *engine) error {
	if err := migrate(e.DB, migrations); err != nil {
		return err
	}
	info, err := e.file.Stat()
	if err != nil {
		return err
	}
	if info.Mode().Perm() == fileMode {
		return nil
	}
	db.log.Warn("database file was open to others", "path", db.path, "mode", info.Mode().Perm().String())
	return e.file.Chmod(fileMode)
}

// startEngine gives an opened and locked file to the engine, which closes it. o
// says what is special about it.
func startEngine(f *os.File, o *bolt.Options) (*engine, error) {
	o.Timeout = time.Millisecond // the lock is ours already
	o.NoFreelistSync, o.FreelistType, o.NoStatistics = true, bolt.FreelistMapType, true
	o.OpenFile = func(string, int, os.FileMode) (*os.File, error) { return f, nil }
	var e *bolt.DB
	err := guard(func() (err error) {
		e, err = bolt.Open(f.Name(), fileMode, o)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	e.AllocSize = growth
	return &engine{DB: e, file: f}, nil
}

// end closes the engine for good, and waits for a compaction to notice.
func (db *DB) end(settled bool) error {
	defer func() {
		db.compacting <- struct{}{}
		<-db.compacting
	}()
	db.writing.Lock()
	defer db.writing.Unlock()
	db.closed = true
	e := db.engine.Load()
	return errors.Join(db.settle(e, settled), e.Close())
}

// settle writes the list of free pages, so that the next start need not read
// the whole file to find them. Commits leave it out, to be faster.
func (db *DB) settle(e *engine, settled bool) error {
	if db.failure() != nil || settled && db.commits.commits.Load() == 0 {
		return nil
	}
	e.NoFreelistSync = false
	tx, err := e.begin(true)
	if err != nil {
		return err
	}
	if err := guard(tx.Commit); err != nil && !noRoom(err) {
		return fmt.Errorf("closing database: %w", err)
	}
	return nil
}

// resolve makes path absolute and follows its symbolic links. The last part
// need not exist, but must not be a link to nowhere.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("no path")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	real, err := filepath.EvalSymlinks(abs)
	if !errors.Is(err, fs.ErrNotExist) {
		return real, err
	}
	if info, err := os.Lstat(abs); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		return "", fmt.Errorf("%s is a symbolic link to nothing", abs)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", fmt.Errorf("directory of %s: %w", abs, err)
	}
	return filepath.Join(dir, filepath.Base(abs)), nil
}
