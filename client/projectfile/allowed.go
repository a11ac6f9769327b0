package projectfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/cortex-auth/cortex/client/identity"
)

// ErrNeverAllowed and ErrChanged say why a file does not count.
var (
	ErrNeverAllowed = errors.New("nobody has allowed it")
	ErrChanged      = errors.New("it has changed since it was allowed")
)

// Allowed is the directory that holds which files count: one record for each
// path.
type Allowed string

// AllowedIn returns the one below a directory of state.
func AllowedIn(state string) Allowed { return Allowed(filepath.Join(state, "allowed")) }

// A record says that a file counts as long as it has that text.
type record struct {
	Path   string `json:"path"`
	SHA256 string `json:"sha256"` // of the text, in hex
}

// recordOf returns the record that makes f count.
func recordOf(f *File) record {
	sum := f.hash()
	return record{f.Path, hex.EncodeToString(sum[:])}
}

// at returns where the record of a path lies.
func (a Allowed) at(path string) string {
	sum := sha256.Sum256([]byte(path))
	return filepath.Join(string(a), hex.EncodeToString(sum[:])+".json")
}

// Check returns nil if f counts as it is, else [ErrNeverAllowed] or [ErrChanged].
func (a Allowed) Check(f *File) error {
	r, err := read(a.at(f.Path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ErrNeverAllowed
	case err != nil:
		return err
	case r != recordOf(f):
		return ErrChanged
	}
	return nil
}

// Add makes f count as it is.
func (a Allowed) Add(f *File) error {
	text, err := json.Marshal(recordOf(f))
	if err != nil {
		return err
	}
	return identity.ReplaceFile(a.at(f.Path), append(text, '\n'))
}

// Remove makes the file at path, which need not exist any more, count no longer.
// It reports whether it did.
func (a Allowed) Remove(path string) (bool, error) {
	err := os.Remove(a.at(path))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Paths returns the files that were allowed, sorted, whether or not they still
// count.
func (a Allowed) Paths() ([]string, error) {
	found, err := os.ReadDir(string(a))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var paths []string
	for _, e := range found {
		if filepath.Ext(e.Name()) != ".json" {
			continue // half of one, from a crash
		}
		r, err := read(filepath.Join(string(a), e.Name()))
		if err != nil {
			return nil, err
		}
		paths = append(paths, r.Path)
	}
	slices.Sort(paths)
	return paths, nil
}

// read reads a record.
func read(path string) (record, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return record{}, err
	}
	var r record
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return record{}, fmt.Errorf("%s is damaged: remove it, and allow the file again", path)
	}
	return r, nil
}
