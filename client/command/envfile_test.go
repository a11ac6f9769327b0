package command

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/dotenv"
)

// Whoever wrote the directory does not get this process to read, or to wait for,
// something else than a .env file.
func TestUsualEnvFile(t *testing.T) {
	h := newHost(t)
	names := func() ([]string, bool, error) {
		entries, found, err := wantedNames(t.Context(), "")
		return dotenv.EntryNames(entries), found, err
	}
	if got, found, err := names(); got == nil || found || err != nil {
		t.Errorf("no file: %v %t %v", got, found, err)
	}
	key := h.write(filepath.Join(h.home, "key"), "c2VjcmV0LWtleQ==")
	h.write(filepath.Join(h.home, ".env.shared"), "A=1\nB=")
	for name, row := range map[string]struct {
		make func() error
		want string
	}{
		"pipe":           {func() error { return unix.Mkfifo(".env", 0o600) }, "not a plain file"},
		"directory":      {func() error { return os.Mkdir(".env", 0o700) }, "not a plain file"},
		"link to key":    {func() error { return os.Symlink(key, ".env") }, "link to something else"},
		"link to itself": {func() error { return os.Symlink(".env", ".env") }, ".env: too many levels of symbolic links"},
		"link to tty":    {func() error { return os.Symlink("/dev/stdin", ".env") }, "link to something else"},
	} {
		if err := row.make(); err != nil {
			t.Fatal(err)
		}
		h.run("run", "--project", "p", "--url", "http://127.0.0.1:1", "--", "true").want(t, 1, row.want, "--env-file")
		if err := os.Remove(".env"); err != nil {
			t.Fatal(err, name)
		}
	}
	if err := os.Symlink(filepath.Join(h.home, ".env.shared"), ".env"); err != nil {
		t.Fatal(err)
	}
	if got, found, err := names(); !slices.Equal(got, []string{"A", "B"}) || !found || err != nil {
		t.Errorf("a link to another .env file: %v %t %v", got, found, err)
	}
}

// A named file may be a pipe, which is not waited for longer than anybody wants.
func TestNamedEnvFile(t *testing.T) {
	newHost(t)
	if err := unix.Mkfifo("pipe", 0o600); err != nil {
		t.Fatal(err)
	}
	writer, err := os.OpenFile("pipe", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := wantedNames(ctx, "pipe")
		done <- err
	}()
	writer.WriteString("A=1\n")
	cancel()
	select {
	case err := <-done:
		if err == nil {
			t.Error("half a file was read")
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits on")
	}
	if _, _, err := wantedNames(t.Context(), "."); err == nil {
		t.Error("a directory was read")
	}
}
