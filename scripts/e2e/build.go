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
func Build(root, dir string) error { return build(root, dir, "0", "-trimpath") }

// BuildRace builds the program with the race detector, from what the tests with
// the race detector are built of.
func BuildRace(root, dir string) error { return build(root, dir, "1", "-race") }

func build(root, dir, cgo string, flags ...string) error {
	args := append([]string{"build", "-o", filepath.Join(dir, "cortex")}, flags...)
	cmd := exec.Command("go", append(args, ".")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := cmd.CombinedOutput(); err != nil {
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
