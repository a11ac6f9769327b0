package need

import (
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a directory on a file system of a size such as "6m", which is gone
// when the test ends. Only root gets one.
func SmallDisk(t testing.TB, size string) string {
	t.Helper()
	dir := t.TempDir()
	err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	if errors.Is(err, unix.EPERM) {
		Unmet(t, "only root can mount a small disk")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
