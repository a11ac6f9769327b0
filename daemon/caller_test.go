package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// A hash is remembered for a file that cannot look the same with other content.
func TestHashes(t *testing.T) {
	var h hashes
	hash := func(path string) string {
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return h.of(f)
	}
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	one := hash(path)
	if len(one) != 64 || len(h.all) != 0 {
		t.Errorf("%q, of a file that is new: %v", one, h.all)
	}
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if two := hash(path); len(two) != 64 || two == one {
		t.Errorf("%q after %q", two, one)
	}
	old := "/bin/sh"
	if info, err := os.Stat(old); err != nil || time.Since(info.ModTime()) < time.Hour {
		need.Unmet(t, "no program is old here")
	}
	if first, again := hash(old), hash(old); len(first) != 64 || first != again || len(h.all) != 1 {
		t.Errorf("%q, then %q: %v", first, again, h.all)
	}
	f, err := os.Open(old)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	id, _ := spawn.Identify(f)
	left := int64(maxHashed)
	h.all[id] = "of before"
	if got, _, err := h.sum(f, &left, true); err != nil || len(got) != 64 {
		t.Errorf("an open file has the hash of before: %q, %v", got, err)
	}
	h.all = nil
	if _, _, err := h.sum(f, &left, true); err != nil || len(h.all) != 0 {
		t.Errorf("the hash of an open file is remembered: %v", err)
	}
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if got := h.of(dir); got != "" {
		t.Errorf("a directory has the hash %q", got)
	}
}
