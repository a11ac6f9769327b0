package spawn

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
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

// ownHome returns an empty directory of another user's, for a process of that user.
func ownHome(t *testing.T) string {
	t.Helper()
	need.Root(t, "be somebody else as well")
	home, err := os.MkdirTemp("", "home-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec.Command("rm", "-rf", home).Run() })
	if err := os.Chown(home, others[0], others[0]); err != nil {
		t.Fatal(err)
	}
	return home
}

// cleared has a spawner of another user clear up its home directory, with few
// descriptors.
func cleared(t *testing.T, home string) {
	t.Helper()
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s := &socket{log: t.Output(), files: 32}
	s.activate(null, executableCopy(t), others[0], []string{clearUp, home})
	if !s.cmd.ProcessState.Success() {
		t.Error(s.cmd.ProcessState)
	}
	if left, err := os.ReadDir(home); err != nil || len(left) != 1 || left[0].Name() != "tmp" {
		t.Error(left, err)
	}
}

// nest makes directories in each other, and closes the last one to everybody.
func nest(t *testing.T, dir, name string, depth int) {
	t.Helper()
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	for i := 0; i < depth && err == nil; i++ {
		var next int
		if err = unix.Mkdirat(fd, name, 0o700); err == nil {
			err = unix.Fchownat(fd, name, others[0], others[0], unix.AT_SYMLINK_NOFOLLOW)
		}
		if err == nil {
			next, err = unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		}
		unix.Close(fd)
		fd = next
	}
	if err == nil {
		err = errors.Join(unix.Mkdirat(fd, "file", 0o700), unix.Fchmod(fd, 0))
		unix.Close(fd)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// No depth of directories keeps what is in them.
func TestClearDeep(t *testing.T) {
	home := ownHome(t)
	nest(t, home, strings.Repeat("n", 200), 30)
	nest(t, home, "d", 1_000)
	cleared(t, home)
}

// A run lets nobody into the home of the next one.
func TestClearMode(t *testing.T) {
	home := ownHome(t)
	entry := func(tag, perm uint16, id uint32) []byte {
		b := binary.LittleEndian.AppendUint16(nil, tag)
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint16(b, perm), id)
	}
	const none = 1<<32 - 1
	everything := slices.Concat([]byte{2, 0, 0, 0}, // the version
		entry(1, 7, none), entry(2, 7, uint32(others[1])), entry(4, 7, none), entry(16, 7, none), entry(32, 7, none))
	lists := []string{"system.posix_acl_access", "system.posix_acl_default"}
	for _, list := range lists {
		if err := unix.Setxattr(home, list, everything, 0); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(home, 0o777); err != nil {
		t.Fatal(err)
	}
	cleared(t, home)
	for _, list := range lists {
		if n, err := unix.Getxattr(home, list, nil); err == nil {
			t.Errorf("%s is there: %d", list, n)
		}
	}
	for _, dir := range []string{home, filepath.Join(home, "tmp")} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
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
