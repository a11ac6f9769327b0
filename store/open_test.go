package store_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
)

func TestOpenCreates(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, created := range []bool{true, false} {
		db, err := store.Open(store.Options{Path: "vault.db"})
		if err != nil {
			t.Fatal(err)
		}
		if db.Created() != created || db.Path() != filepath.Join(real, "vault.db") {
			t.Errorf("created %v, path %s", db.Created(), db.Path())
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantFiles(t, dir, "vault.db", "vault.db.lock")

	_, err = store.Open(store.Options{Path: filepath.Join("missing", "vault.db")})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a missing directory: %v", err)
	}
	wantFiles(t, dir, "vault.db", "vault.db.lock")
}

func wantFiles(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("there are %v, want %v", got, want)
	}
}

// A crash while creating leaves a part under another name.
func TestOpenAfterCrashWhileCreating(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "vault.db")
	whole, err := os.ReadFile(closed(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range [][]byte{nil, make([]byte, 5000), whole, whole[:100]} {
		if err := os.WriteFile(path+".new", part, 0o644); err != nil {
			t.Fatal(err)
		}
		db := storetest.Open(t, path)
		if !db.Created() {
			t.Error("not created")
		}
		wantFiles(t, dir, "vault.db", "vault.db.lock")
		if err := db.Discard(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMode(t *testing.T) {
	mode := func(path string) fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	for _, umask := range []int{0, 0o077, 0o777} {
		path := filepath.Join(t.TempDir(), "vault.db")
		was := unix.Umask(umask)
		db := storetest.Open(t, path)
		unix.Umask(was)
		if m := mode(path); m != 0o600 {
			t.Errorf("umask %o: database has %v", umask, m)
		}
		if m := mode(path + ".lock"); m != 0o600 {
			t.Errorf("umask %o: lock has %v", umask, m)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Chmod(path, 0o644), os.Chmod(path+".lock", 0o666)); err != nil {
			t.Fatal(err)
		}
		db = storetest.Open(t, path)
		if mode(path) != 0o600 || mode(path+".lock") != 0o600 {
			t.Errorf("modes stayed %v, %v", mode(path), mode(path+".lock"))
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func wantInUse(t *testing.T, o store.Options, pid int) {
	t.Helper()
	db, err := store.Open(o)
	if err == nil {
		db.Close()
	}
	busy, ok := errors.AsType[*store.InUseError](err)
	says := "is in use by another process"
	if pid != 0 {
		says = fmt.Sprint("is in use by pid ", pid)
	}
	if !ok || busy.PID != pid || busy.Path == "" || !strings.HasSuffix(err.Error(), says) {
		t.Errorf("got %v, want it in use by %d", err, pid)
	}
}

func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	db := storetest.Open(t, path)
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{path, link} {
		wantInUse(t, store.Options{Path: p}, os.Getpid())
		wantInUse(t, store.Options{Path: p, ReadOnly: true}, os.Getpid())
	}
	// A hard link has a lock file of its own, but is the same file.
	hard := filepath.Join(filepath.Dir(path), "hard.db")
	if err := os.Link(path, hard); err != nil {
		t.Fatal(err)
	}
	wantInUse(t, store.Options{Path: hard}, 0)
	insert(t, db, notes, note{ID: "a"}) // undisturbed
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	wantNotes(t, storetest.Open(t, link), "a")
}

func TestInUseByAnotherProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	c := startChild(t, "hold", path)
	c.line(t)
	wantInUse(t, store.Options{Path: path}, c.Process.Pid)
	wantInUse(t, store.Options{Path: path, ReadOnly: true}, c.Process.Pid)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.Wait()
	// The lock ended with the process, though its pid still stands there.
	if pid, err := os.ReadFile(path + ".lock"); err != nil || len(pid) == 0 {
		t.Errorf("lock file: %q, %v", pid, err)
	}
	storetest.Open(t, path)
}

func TestReadOnly(t *testing.T) {
	path := closed(t)
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Dir(path)
	before := sum(t, path)
	if err := errors.Join(os.Chmod(path, 0o444), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	var open []*store.DB
	for range 2 {
		db, err := store.Open(store.Options{Path: path, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, db)
		db.SetMAC(storetest.MAC{})
		view(t, db, func(tx *store.Tx) error {
			if _, err := byMail.Get(tx, "ann@x"); err != nil {
				return err
			}
			wantRowError(t, people.Put(tx, person{ID: "x"}), store.ErrReadOnly, "person", "")
			_, err := trail.Get(tx, 1)
			return err
		})
		if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != store.ErrReadOnly {
			t.Errorf("update: %v", err)
		}
		if err := db.Check(t.Context()); err != nil {
			t.Errorf("check: %v", err)
		}
		if db.Created() || db.Stats() != (store.Stats{}) {
			t.Error("it claims to have written")
		}
	}
	wantFiles(t, dir, "vault.db")
	// Nobody writes what is being read.
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	wantInUse(t, store.Options{Path: path}, 0)
	for _, db := range open {
		if err := errors.Join(db.Close(), db.Close()); err != nil {
			t.Error(err)
		}
	}
	if sum(t, path) != before {
		t.Error("the file changed")
	}
	storetest.Open(t, path)

	empty := t.TempDir()
	_, err := store.Open(store.Options{Path: filepath.Join(empty, "vault.db"), ReadOnly: true})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("opening nothing: %v", err)
	}
	wantFiles(t, empty)
}

func sum(t *testing.T, path string) [32]byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(b)
}

// Files that cannot be opened are left as they are.
func TestRefused(t *testing.T) {
	valid, err := os.ReadFile(closed(t))
	if err != nil {
		t.Fatal(err)
	}
	boltFile := func(fn func(tx *bolt.Tx) error) []byte {
		path := filepath.Join(t.TempDir(), "bolt.db")
		edit(t, path, fn)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	schema := func(version ...byte) []byte {
		return boltFile(func(tx *bolt.Tx) error {
			b, err := tx.CreateBucket([]byte("cortex"))
			if err != nil {
				return err
			}
			return b.Put([]byte("schema"), version)
		})
	}
	flipped := func(at ...int) []byte {
		b := bytes.Clone(valid)
		for _, i := range at {
			b[i] ^= 1
		}
		return b
	}
	page := os.Getpagesize()
	for name, c := range map[string]struct {
		content []byte
		want    error
		says    string
	}{
		"empty":                {nil, store.ErrForeign, "empty"},
		"text":                 {[]byte(strings.Repeat("hello\n", 3000)), store.ErrForeign, ""},
		"short text":           {[]byte("hello\n"), store.ErrForeign, ""},
		"sqlite":               {append([]byte("SQLite format 3\x00"), make([]byte, 8192)...), store.ErrForeign, "POST /admin/secrets"},
		"zeros":                {make([]byte, 32<<10), store.ErrForeign, ""},
		"another's bolt file":  {boltFile(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("x")); return err }), store.ErrForeign, ""},
		"no schema":            {boltFile(func(tx *bolt.Tx) error { _, err := tx.CreateBucket([]byte("cortex")); return err }), store.ErrForeign, ""},
		"schema 0":             {schema(0, 0, 0, 0), store.ErrForeign, ""},
		"schema of 3 bytes":    {schema(0, 0, 1), store.ErrForeign, ""},
		"newer schema":         {schema(0, 0, 0, 99), store.ErrNewer, "schema 99"},
		"newest schema":        {schema(0xff, 0xff, 0xff, 0xff), store.ErrNewer, ""},
		"cut short":            {valid[:4*page], store.ErrDamaged, "are there"},
		"both metas bad":       {flipped(40, page+40), store.ErrDamaged, ""},
		"page size wrong":      {flipped(25, page+25), store.ErrDamaged, ""},
		"first page only":      {valid[:page], store.ErrDamaged, ""},
		"first few bytes only": {valid[:40], store.ErrDamaged, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "vault.db")
			if err := os.WriteFile(path, c.content, 0o640); err != nil {
				t.Fatal(err)
			}
			before := sum(t, path)
			for _, readOnly := range []bool{true, false} {
				db, err := store.Open(store.Options{Path: path, ReadOnly: readOnly})
				if err == nil {
					db.Close()
				}
				if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("read-only %v: %v", readOnly, err)
				}
			}
			if sum(t, path) != before {
				t.Error("the file was changed")
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
				t.Errorf("mode %v, %v", info.Mode(), err)
			}
			// The lock was given back.
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			storetest.Open(t, path)
		})
	}
}

// One of the two meta pages may be torn by a crash.
func TestOneMetaPageIsEnough(t *testing.T) {
	for _, at := range []int{40, os.Getpagesize() + 40} {
		path := closed(t)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[at] ^= 1
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		db := storetest.Open(t, path)
		wantNotes(t, db, "ann", "bob")
	}
}

func TestOddPaths(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	dangling := filepath.Join(dir, "dangling")
	if err := errors.Join(unix.Mkfifo(fifo, 0o600), os.Symlink("nothing", dangling)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", dir, fifo, dangling, filepath.Join(fifo, "vault.db")} {
		for _, readOnly := range []bool{true, false} {
			db, err := store.Open(store.Options{Path: path, ReadOnly: readOnly})
			if err == nil {
				t.Errorf("%q opened", path)
				db.Close()
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(dir, "nothing")); err == nil {
		t.Error("made the target of a dangling link")
	}
}

// The pid is not written through a link that somebody put in its place.
func TestLockFileIsALink(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	if err := os.WriteFile(victim, []byte("keep"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "vault.db")
	if err := os.Symlink(victim, path+".lock"); err != nil {
		t.Fatal(err)
	}
	if db, err := store.Open(store.Options{Path: path}); err == nil {
		t.Error("opened")
		db.Close()
	}
	if b, err := os.ReadFile(victim); err != nil || string(b) != "keep" {
		t.Errorf("victim is %q, %v", b, err)
	}
}

// A start that came to nothing leaves nothing of what it has made, and everything
// that was there.
func TestDiscard(t *testing.T) {
	dir := t.TempDir()
	open := func() *store.DB {
		t.Helper()
		db, err := store.Open(store.Options{Path: filepath.Join(dir, "db"), Reserve: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		return db
	}
	names := func() string {
		t.Helper()
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(entries)
	}
	if err := open().Discard(); err != nil || names() != "[]" {
		t.Errorf("%v; left %s", err, names())
	}
	if err := open().Close(); err != nil {
		t.Fatal(err)
	}
	if err := open().Discard(); err != nil || names() != "[- db - db.lock - db.reserve]" {
		t.Errorf("%v; left %s", err, names())
	}
}

// Nobody gets a file or a lock that somebody else is removing.
func TestDiscardTogether(t *testing.T) {
	path := filepath.Join(t.TempDir(), "db")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 150 {
				db, err := store.Open(store.Options{Path: path})
				if _, ok := errors.AsType[*store.InUseError](err); ok {
					continue
				}
				if err != nil || !db.Created() {
					t.Errorf("%v", err)
					return
				}
				if err := db.Discard(); err != nil {
					t.Errorf("discarding: %v", err)
				}
			}
		})
	}
	wg.Wait()
}
