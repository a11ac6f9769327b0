package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// spared is how much room on the disk a copy leaves to the database.
const spared = 64 << 20

// A Copy is a consistent copy of a database, in a file without a name beside
// it: it is gone when it is closed, or when the process ends.
type Copy struct {
	file *os.File
	size int64
	// Schema is the version of the file.
	Schema uint32
}

// Size returns the length of the copy, in bytes.
func (c *Copy) Size() int64 { return c.size }

// Read reads on in the copy.
func (c *Copy) Read(b []byte) (int, error) { return c.file.Read(b) }

// Close forgets the copy.
func (c *Copy) Close() error { return c.file.Close() }

// Copy makes a copy of the database as fn, which may be nil, sees it in tx.
// Meanwhile everything goes on; only an update that outgrows the mapping waits.
// It returns ErrFull, and leaves nothing behind, where that would not leave
// room for the database to go on.
func (db *DB) Copy(ctx context.Context, fn func(*Tx) error) (c *Copy, err error) {
	f, err := unnamed(filepath.Dir(db.path))
	if err != nil {
		return nil, fmt.Errorf("copying database: %w", err)
	}
	c = &Copy{file: f}
	err = db.View(ctx, func(tx *Tx) error {
		if fn != nil {
			if err := fn(tx); err != nil {
				return err
			}
		}
		return c.fill(ctx, db, tx)
	})
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("copying database: %w", full(err)), f.Close())
	}
	return c, nil
}

func (c *Copy) fill(ctx context.Context, db *DB, tx *Tx) (err error) {
	if err := roomFor(c.file, tx.core.engine.Size()+spared); err != nil {
		return err
	}
	if c.Schema, err = schemaOf(tx.core.engine); err != nil {
		return fmt.Errorf("%s: %w", db.path, err)
	}
	c.size, err = tx.core.engine.WriteTo(stoppable{ctx, c.file})
	return err
}

// unnamed makes a file in a directory and takes its name away.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".cortex-copy-*")
	if err != nil {
		return nil, full(err)
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// roomFor returns ErrFull if the disk of f has fewer than n bytes left.
func roomFor(f *os.File, n int64) error {
	var s unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &s); err != nil {
		return err
	}
	if left := s.Bavail * uint64(s.Bsize); left < uint64(n) {
		return fmt.Errorf("%w: the copy needs %d bytes beside the database, %d are free", ErrFull, n, left)
	}
	return nil
}

// A stoppable writer ends with a context.
type stoppable struct {
	ctx context.Context
	w   io.Writer
}

func (s stoppable) Write(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.w.Write(b)
}
