package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build builds the program of the module in root, as it is shipped, into dir
// under its four names.
func Build(root, dir string) error {
	build := exec.Command("go", "build", "-trimpath", "-o", filepath.Join(dir, "cortex"), ".")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building: %w\n%s", err, out)
	}
	for _, name := range []string{"cortex-server", "cortex-daemon", "cortex-cli"} {
		if err := os.Symlink("cortex", filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// Look looks at the files that the program of the module in root is built of.
// Each test of the program calls it. A test that has not looked at what changed
// is not run again: go test answers from its cache, and does not know what a
// compiler read that was started from TestMain.
func Look(t testing.TB, root string) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && path != root && strings.HasPrefix(d.Name(), ".") {
			return filepath.SkipDir
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
