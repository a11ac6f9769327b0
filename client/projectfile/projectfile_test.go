package projectfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// put writes a project file and reads it.
func put(t *testing.T, dir, text string) *File {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, Name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestFind(t *testing.T) {
	top := t.TempDir()
	outer := put(t, filepath.Join(top, "a"), "project = 'outer'")
	inner := put(t, filepath.Join(top, "a", "b", "c"), "project = 'inner'")
	for dir, want := range map[string]*File{"a": outer, "a/b": outer, "a/b/c": inner} {
		if f, err := Find(filepath.Join(top, dir)); err != nil || f.Path != want.Path {
			t.Errorf("%s: %v, %v", dir, f, err)
		}
	}
	if f, err := Find(top); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("none: %v, %v", f, err)
	}
	put(t, top, strings.Repeat("#", maxSize))
	if err := os.WriteFile(filepath.Join(top, Name), make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := Find(top); err == nil {
		t.Errorf("too long: %d bytes", len(f.text))
	}
}

// A file counts by where it lies and what it says, and not by how it is reached.
func TestAllowed(t *testing.T) {
	top := t.TempDir()
	a := AllowedIn(filepath.Join(top, "state"))
	want := func(f *File, target error) {
		t.Helper()
		if err := a.Check(f); !errors.Is(err, target) {
			t.Errorf("%s: %v, not %v", f.Path, err, target)
		}
	}
	f := put(t, filepath.Join(top, "a"), "project = 'app'")
	want(f, ErrNeverAllowed)
	if err := a.Add(f); err != nil {
		t.Fatal(err)
	}
	want(f, nil)
	want(put(t, filepath.Join(top, "copy"), "project = 'app'"), ErrNeverAllowed)
	if err := os.Symlink(filepath.Join(top, "a"), filepath.Join(top, "link")); err != nil {
		t.Fatal(err)
	}
	linked, err := Read(filepath.Join(top, "link", Name))
	if err != nil {
		t.Fatal(err)
	}
	want(linked, nil)
	// Who links to it from elsewhere does not speak for elsewhere.
	if err := os.MkdirAll(filepath.Join(top, "evil", "deep"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{f.Path, "../a/" + Name, "/nonexistent"} {
		at := filepath.Join(top, "evil", Name)
		os.Remove(at)
		if err := os.Symlink(target, at); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func() (*File, error){func() (*File, error) { return Read(at) }, func() (*File, error) { return Find(filepath.Join(top, "evil", "deep")) }} {
			if f, err := read(); !errors.Is(err, ErrLink) || f != nil {
				t.Errorf("linked to %s: %v, %v", target, f, err)
			}
		}
	}
	changed := put(t, filepath.Join(top, "a"), "project = 'app' ")
	want(changed, ErrChanged)
	if err := a.Add(changed); err != nil {
		t.Fatal(err)
	}
	want(changed, nil)
	want(f, ErrChanged)
	if paths, err := a.Paths(); err != nil || !slices.Equal(paths, []string{f.Path}) {
		t.Errorf("%q, %v", paths, err)
	}
	for _, did := range []bool{true, false} {
		if got, err := a.Remove(f.Path); got != did || err != nil {
			t.Errorf("removed %v, %v", got, err)
		}
	}
	want(changed, ErrNeverAllowed)
	if err := a.Add(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.at(f.Path), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Check(f); err == nil {
		t.Error("a damaged record allows")
	}
}

// FuzzSettings reads what somebody may have written for whoever comes along.
func FuzzSettings(f *testing.F) {
	for _, text := range []string{
		"", "project = \"app\"", "names = ['A', 'B']\nenv = { A = 'B' }\nno-inherit = true", "[env]\nA = 'B'",
		"project = 1", "[[env]]", "a.b.c = 1", "project = \"\"\"\nx\"\"\"", "wait = 1979-05-27T07:32:00Z", "env = {A = {}}",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := (&File{text: text}).Settings()
		if err != nil && (s.Project != "" || s.Env != nil) {
			t.Errorf("an error, and %+v", s)
		}
	})
}
