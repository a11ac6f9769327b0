package spawn

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestEmpty(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	os.WriteFile(filepath.Join(outside, "file"), []byte("stays"), 0o600)
	for _, path := range []string{"a/b", ".hidden"} {
		if err := os.MkdirAll(filepath.Join(dir, path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	os.WriteFile(filepath.Join(dir, "a/b/file"), []byte("goes"), 0o400)
	os.Symlink(outside, filepath.Join(dir, "link"))
	os.Symlink(outside, filepath.Join(dir, "a/link"))
	os.Chmod(filepath.Join(dir, "a/b"), 0)
	os.Chmod(filepath.Join(dir, "a"), 0)
	if err := empty(dir); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if _, err := os.Stat(filepath.Join(outside, "file")); err != nil {
		t.Error("went through a link")
	}
}

// Nobody's processes are ended for a directory that is not this user's.
func TestClearHomeOfOthers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	link := file + ".link"
	os.Symlink(filepath.Dir(file), link)
	for _, path := range []string{file, link, filepath.Join(filepath.Dir(file), "none"), "/proc/1"} {
		if err := ours(path); err == nil && (path != "/proc/1" || os.Getuid() != 0) {
			t.Errorf("%s is ours", path)
		}
	}
	if err := ours(file); !errors.Is(err, errNotOurs) {
		t.Error(err)
	}
}
