package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// This test's own program is one that "go test" deletes.
func TestProgram(t *testing.T) {
	if path, err := Program(os.Geteuid()); err == nil || !strings.Contains(err.Error(), "temporary") {
		t.Error(path, err)
	}
}

func TestLasting(t *testing.T) {
	for path, want := range map[string]bool{
		"/usr/local/bin/cortex": true, "/home/alice/tmp/cortex": true, "/tmpfiles/cortex": true,
		"/tmp/cortex": false, "/dev/shm/x/cortex": false, "/home/alice/t/cortex": false,
		"/home/alice/.cache/go-build/ab/cortex": false, "/opt/a\nb": false,
	} {
		if err := lasting(path, "/home/alice/t/"); (err == nil) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A program that a group can replace is not root's alone, nor its user's.
func TestChangeable(t *testing.T) {
	need.Root(t, "give a file to a group")
	dir, err := os.MkdirTemp("/var", "program-") // nobody else writes there
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cortex")
	if err := os.WriteFile(path, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := usable(path, nil); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{path, dir} {
		const games = 60
		os.Chown(at, -1, games)
		os.Chmod(at, 0o775)
		for _, owners := range [][]int{nil, {os.Geteuid()}} {
			if err := usable(path, owners); err == nil || !strings.HasSuffix(err.Error(), "can write to "+at) {
				t.Errorf("%s, owners %v: %v", at, owners, err)
			}
		}
		os.Chown(at, -1, 0)
	}
}
