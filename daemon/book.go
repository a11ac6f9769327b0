package daemon

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/locked"
)

// maxBook is the longest file of a journal, in bytes.
const maxBook = 8 << 20

// errBook is in the chain of every error about a journal that cannot be written.
var errBook = errors.New("it cannot be written down")

// A book is the journal of an agent's daemons at a server, in a file of the state
// directory. It is this process that writes, but the lines may be from those before.
type book struct {
	path   string
	signer *locked.Signer
	log    *slog.Logger
	due    chan struct{} // has something when it may be worth telling the server

	mu    sync.Mutex // guards the file, and what follows
	chain journal.Chain
	lines int // in the file
}

// openBook returns the journal with what is left in it. A line that was not finished
// is none: nothing was done on its account.
func openBook(dir, origin, agentID string, signer *locked.Signer, log *slog.Logger) *book {
	sum := sha256.Sum256([]byte(origin + "|" + agentID))
	b := &book{
		path: filepath.Join(dir, "offline-"+hex.EncodeToString(sum[:8])+".journal"), signer: signer, log: log,
		due: make(chan struct{}, 1),
	}
	if _, err := b.first(0); err != nil {
		log.Warn("what was written down while the server was away cannot be read", "path", b.path, "err", err)
	}
	if b.left() > 0 {
		b.wake()
	}
	return b
}

// wake says that the server may be told.
func (b *book) wake() {
	select {
	case b.due <- struct{}{}:
	default:
	}
}

// left returns how many entries the server was not told of.
func (b *book) left() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.lines
}

// add writes down that values of a fetch are used. They may be once it has returned
// nil: the line is on the disk then.
func (b *book) add(receipt string, names []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.chain.Next(time.Now().Unix(), receipt, names)
	if !ok {
		return fmt.Errorf("%w: too many names, or such as no secret has", errBook)
	}
	var err error
	if e.Signature, err = b.signer.Sign(e.Message()); err != nil {
		return fmt.Errorf("%w: %w", errBook, err)
	}
	if err := b.write(e.Line() + "\n"); err != nil {
		return fmt.Errorf("%w: %w", errBook, err)
	}
	b.chain, b.lines = journal.After(e), b.lines+1
	return nil
}

// write adds a line to the file, or leaves it as it was. It is called with mu held.
func (b *book) write(line string) error {
	f, err := os.OpenFile(b.path, os.O_CREATE|os.O_RDWR|os.O_APPEND|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errors.New("not a file")
	case info.Size()+int64(len(line)) > maxBook:
		return fmt.Errorf("%s is full: %d bytes, which the server was not told yet", b.path, info.Size())
	}
	_, err = f.WriteString(line)
	if err == nil {
		err = f.Sync()
	}
	if err == nil && info.Size() == 0 {
		err = syncDir(b.path)
	}
	if err != nil {
		err = errors.Join(err, f.Truncate(info.Size()))
	}
	return err
}

// first returns the first entries that are left, at most n. A file with something else
// in it is put aside.
func (b *book) first(n int) ([]string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, err := b.read()
	if err == nil {
		b.lines = len(lines)
		lines = lines[:min(n, b.lines)]
		err = checkLines(lines)
	}
	if errors.Is(err, journal.ErrEntry) {
		err = errors.Join(err, b.aside())
	}
	if err != nil {
		return nil, err
	}
	return lines, nil
}

// read returns the lines of the file. It is called with mu held.
func (b *book) read() ([]string, error) {
	text, err := readBook(b.path)
	if err != nil || text == nil {
		return nil, err
	}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if whole < len(text) {
		b.log.Warn("a line that was not finished is cut off", "path", b.path, "bytes", len(text)-whole)
		if err := os.Truncate(b.path, int64(whole)); err != nil {
			return nil, err
		}
	}
	return strings.Split(strings.TrimSuffix(string(text[:whole]), "\n"), "\n")[:bytes.Count(text, []byte("\n"))], nil
}

// readBook returns what is in a file, nil if there is none.
func readBook(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxBook {
		return nil, fmt.Errorf("%w: %s is longer than a journal gets, or no file", journal.ErrEntry, path)
	}
	text := make([]byte, info.Size())
	if _, err := f.ReadAt(text, 0); err != nil && len(text) > 0 {
		return nil, err
	}
	return text, nil
}

// checkLines returns an error for what is no entry.
func checkLines(lines []string) error {
	for i, line := range lines {
		if _, err := journal.Parse(line); err != nil {
			return fmt.Errorf("%w: line %d", journal.ErrEntry, i+1)
		}
	}
	return nil
}

// told takes the first n entries off: the server has them.
func (b *book) told(n int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines, err := b.read()
	if err != nil {
		return err
	}
	rest := lines[min(n, len(lines)):]
	if b.lines = len(rest); len(rest) == 0 {
		if err := os.Remove(b.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(b.path)
	}
	return replace(b.path, strings.Join(rest, "\n")+"\n")
}

// refused puts the journal aside that the server does not take.
func (b *book) refused() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.aside()
}

// aside is called with mu held.
func (b *book) aside() error {
	b.lines = 0
	if err := os.Rename(b.path, b.path+".refused"); err != nil {
		return err
	}
	return syncDir(b.path)
}

// replace gives a file another text, at once.
func replace(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(path)
}

// syncDir makes what happened to a name durable.
func syncDir(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
