package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/locked"
)

// newBook returns the journal of a process that begins now.
func newBook(t *testing.T, dir string) *book {
	t.Helper()
	signer, err := locked.GenerateSigner()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(signer.Destroy)
	return openBook(dir, "https://vault.example.com", "bot", signer, slog.New(slog.DiscardHandler))
}

// entries reads all that is left.
func entries(t *testing.T, b *book) (all []journal.Entry) {
	t.Helper()
	lines, err := b.first(1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range lines {
		e, err := journal.Parse(line)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	return all
}

func write(t *testing.T, b *book, names ...string) {
	t.Helper()
	if err := b.add(someReceipt, names); err != nil {
		t.Fatal(err)
	}
}

// What is written is there for the next process, behind which it goes on with a
// chain of its own, and goes when it was told.
func TestBook(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, dir)
	write(t, b, "B", "A")
	write(t, b)
	got := entries(t, b)
	if len(got) != 2 || b.left() != 2 || strings.Join(got[0].Names, " ") != "A B" || !journal.After(got[0]).Follows(got[1]) || !got[0].SignedBy(b.signer.Public()) {
		t.Fatalf("%+v", got)
	}
	if info, err := os.Stat(b.path); err != nil || info.Mode() != 0o600 {
		t.Error(info.Mode(), err)
	}
	next := newBook(t, dir)
	if next.left() != 2 || len(next.due) != 1 {
		t.Errorf("%d are left", next.left())
	}
	write(t, next, "A")
	if got := entries(t, next); len(got) != 3 || got[2].Seq != 1 || !got[2].SignedBy(next.signer.Public()) {
		t.Errorf("%+v", got)
	}
	if err := next.told(2); err != nil || next.left() != 1 {
		t.Fatal(err)
	}
	write(t, next)
	if got := entries(t, next); len(got) != 2 || got[1].Seq != 2 || !journal.After(got[0]).Follows(got[1]) {
		t.Errorf("%+v", got)
	}
	if err := next.told(2); err != nil || next.left() != 0 {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("%v is left", left)
	}
	write(t, next)
	if got := entries(t, next); len(got) != 1 || got[0].Seq != 3 {
		t.Errorf("%+v", got)
	}
	if other := openBook(dir, "https://other.example.com", "bot", b.signer, b.log); other.left() != 0 || other.path == b.path {
		t.Error("another server's journal is this one's")
	}
}

// Without a line there is no use, and no trace of one.
func TestBookThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, dir)
	write(t, b)
	before, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	refused := func(what string) {
		t.Helper()
		if err := b.add(someReceipt, nil); !errors.Is(err, errBook) {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := b.add("nonsense", nil); !errors.Is(err, errBook) {
		t.Error(err)
	}
	// What fails leaves the chain as it was.
	if err := os.Truncate(b.path, maxBook-10); err != nil {
		t.Fatal(err)
	}
	refused("a file that is full")
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(b.path, 0o700); err != nil {
		t.Fatal(err)
	}
	refused("a directory")
	os.Remove(b.path)
	target := filepath.Join(dir, "target")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, b.path)); err != nil {
		t.Fatal(err)
	}
	refused("a link")
	os.Remove(b.path)
	path := b.path
	b.path = filepath.Join(dir, "gone", "file")
	refused("no directory")
	b.path = path
	if err := os.WriteFile(b.path, before, 0o600); err != nil {
		t.Fatal(err)
	}
	write(t, b)
	if got := entries(t, b); len(got) != 2 || !journal.After(got[0]).Follows(got[1]) {
		t.Errorf("%+v", got)
	}
}

// What a crash left is cut off, and what somebody wrote is put aside.
func TestBookThatIsNotAsWritten(t *testing.T) {
	dir := t.TempDir()
	b := newBook(t, dir)
	write(t, b, "A")
	good, err := os.ReadFile(b.path)
	if err != nil {
		t.Fatal(err)
	}
	for what, row := range map[string]struct {
		text  string
		left  int
		aside bool
	}{
		"half a line":             {string(good) + "1|2|abc", 1, false},
		"half a line alone":       {"1|1|abc", 0, false},
		"all but the last LF":     {strings.TrimSuffix(string(good), "\n"), 0, false},
		"nothing":                 {"", 0, false},
		"an empty line":           {string(good) + "\n", 0, true},
		"something else":          {string(good) + "hello\n", 0, true},
		"something else in front": {"hello\n" + string(good), 0, true},
		"CR LF":                   {strings.Replace(string(good), "\n", "\r\n", 1), 0, true},
	} {
		if err := os.WriteFile(b.path, []byte(row.text), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := b.first(10)
		if len(got) != row.left || b.left() != row.left || errors.Is(err, journal.ErrEntry) != row.aside {
			t.Errorf("%s: %d, %v", what, len(got), err)
		}
		if aside, err := os.ReadFile(b.path + ".refused"); (err == nil && string(aside) == row.text) != row.aside {
			t.Errorf("%s: put aside: %q", what, aside)
		}
		os.Remove(b.path + ".refused")
	}
	if err := os.WriteFile(b.path, bytes.Repeat([]byte("a\n"), maxBook/2+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.first(10); !errors.Is(err, journal.ErrEntry) {
		t.Errorf("a file without end: %v", err)
	}
}

func FuzzBook(f *testing.F) {
	f.Add("")
	f.Add("1|1|\n")
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		b := &book{path: filepath.Join(t.TempDir(), "book"), log: slog.New(slog.DiscardHandler)}
		if err := os.WriteFile(b.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		lines, err := b.first(1 << 20)
		if err != nil {
			return
		}
		whole := text[:strings.LastIndexByte(text, '\n')+1]
		if got := strings.Join(lines, "\n"); whole != "" && got+"\n" != whole || whole == "" && got != "" {
			t.Errorf("%q comes back as %q", text, got)
		}
	})
}
