package store

import (
	"errors"
	"fmt"
	"log/slog"
	"os"

	bolt "go.etcd.io/bbolt"
)

// An Inspection is what can be known of a database file without a key.
type Inspection struct {
	// Path is the absolute path, symbolic links resolved.
	Path string
	// Size is the file's, in bytes.
	Size int64
	// Schema is the version it was written with, and Newest what this program
	// would make of it.
	Schema, Newest uint32
}

// Inspect looks at the file at path and changes nothing, not even for files of
// an older version. Its errors are those of [Open].
func Inspect(path string) (i Inspection, err error) {
	if i.Path, err = resolve(path); err != nil {
		return i, fmt.Errorf("opening database: %w", err)
	}
	db := &DB{path: i.Path, readOnly: true, log: slog.New(slog.DiscardHandler)}
	f, _, err := db.openFile(os.O_RDONLY)
	if err != nil {
		return i, fmt.Errorf("opening database: %w", err)
	}
	e, err := startEngine(f, &bolt.Options{ReadOnly: true})
	if err != nil {
		return i, fmt.Errorf("opening database: %w", err)
	}
	db.engine.Store(e)
	defer func() { err = errors.Join(err, e.Close()) }()
	i.Newest = newestSchema(migrations)
	if i.Schema, err = schema(e.DB); err != nil {
		return i, fmt.Errorf("%s: %w", db.path, err)
	}
	if i.Schema > i.Newest {
		return i, tooNew(e.DB, i.Schema, i.Newest)
	}
	i.Size, err = db.Size()
	return i, err
}
