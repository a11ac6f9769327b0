package install

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestUnchangeable(t *testing.T) {
	if err := unchangeable("/usr/bin/env", nil); err != nil {
		t.Error(err)
	}
	dir := t.TempDir() // below one where everybody may write
	path := filepath.Join(dir, "cortex")
	os.WriteFile(path, nil, 0o777)
	for _, row := range []struct {
		mode os.FileMode
		text string
	}{{0o777, "everybody can write to " + path}, {0o755, "everybody can write to " + os.TempDir()}} {
		os.Chmod(path, row.mode)
		if err := unchangeable(path, []int{os.Geteuid()}); err == nil || err.Error() != row.text {
			t.Error(err)
		}
	}
	if os.Geteuid() == 0 {
		os.Chown(path, 65534, -1)
		if err := unchangeable(path, nil); err == nil || !strings.Contains(err.Error(), "belongs to uid 65534") {
			t.Error(err)
		}
	}
}
