package install

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A File is one that an install has.
type File struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// sealWord stands on the last line of a file, a comment in the file's own language,
// before the hash of all lines above it.
const sealWord = "cortex wrote this: "

func seal(text, open, end string) string {
	return text + open + sealWord + hash(text) + end + "\n"
}

// sealed reports whether a text is as cortex wrote it, whichever version of it.
func sealed(text string) bool {
	last := strings.LastIndexByte(strings.TrimSuffix(text, "\n"), '\n') + 1
	return strings.Contains(text[last:], sealWord+hash(text[:last]))
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// toWrite says what becomes of a file that is to be there.
func (f File) toWrite(force bool) (string, error) {
	text, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Written, nil
	case err != nil:
		return "", err
	case text == f.Content:
		return Unchanged, nil
	case !force && !sealed(text):
		return "", fmt.Errorf("%s %w", f.Path, ErrEdited)
	}
	return Written, nil
}

// toRemove says what becomes of a file that is not to be there.
func (f File) toRemove(force bool) (string, error) {
	text, err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Absent, nil
	case err != nil:
		return "", err
	case !force && !sealed(text):
		return "", fmt.Errorf("%s %w", f.Path, ErrEdited)
	}
	return Removed, nil
}

// read returns what the file holds. A link, which may lead anywhere, is an error:
// a service that somebody has masked is one.
func (f File) read() (string, error) {
	info, err := os.Lstat(f.Path)
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a plain file", f.Path)
	}
	text, err := os.ReadFile(f.Path)
	return string(text), err
}

// write writes the file, or replaces it as a whole.
func (f File) write() error {
	dir := filepath.Dir(f.Path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("making a directory: %w", err)
	}
	tmp, err := os.CreateTemp(dir, ".cortex-*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.Path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.WriteString(f.Content)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), f.Path)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", f.Path, err)
	}
	return nil
}
