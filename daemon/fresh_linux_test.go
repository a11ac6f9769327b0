package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// A file that is changed at once after it was read looks like another one, also where
// the kernel looks at its clock but once in a tick.
func TestHashOfFreshFile(t *testing.T) {
	path := filepath.Join(coarse(t), "file")
	for range 10 {
		if err := os.WriteFile(path, []byte("good"), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		var h hashes
		left := int64(maxHashed)
		_, was, err := h.sum(f, &left, true)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte("evil"), 0); err != nil {
			t.Fatal(err)
		}
		if is, _ := spawn.Identify(f); is == was {
			t.Fatal("it looks the same")
		}
	}
}

// coarse returns a directory on a file system that has no finer times; without root, one
// on any. Only this test sees it.
func coarse(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if os.Getuid() != 0 {
		return dir
	}
	runtime.LockOSThread() // for good: it is of no use to others
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS|unix.CLONE_FS), unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""), unix.Mount("ramfs", dir, "ramfs", 0, "")); err != nil {
		need.Unmet(t, "no file system can be mounted: ", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}
