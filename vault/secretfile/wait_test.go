package secretfile

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func pipe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Whoever writes into a pipe may come late, and write in pieces.
func TestPipe(t *testing.T) {
	path := pipe(t)
	failed := make(chan error, 1)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0) // waits for the reader
		if err == nil {
			_, err1 := w.WriteString("hu")
			_, err2 := w.WriteString("sh\n")
			err = errors.Join(err1, err2, w.Close())
		}
		failed <- err
	}()
	if text, err := ReadFile(t.Context(), path, 100); err != nil || string(text) != "hush\n" {
		t.Errorf("%q, %v", text, err)
	}
	if err := <-failed; err != nil {
		t.Error(err)
	}
}

// Nobody need wait for a writer who does not come, nor for one who does not write.
func TestPipeWithoutWriter(t *testing.T) {
	silent := pipe(t)
	w, err := os.OpenFile(silent, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	whole := func(ctx context.Context, path string) error {
		_, err := Read(ctx, path, func(string) {})
		return err
	}
	piecemeal := func(ctx context.Context, path string) error {
		f, err := Open(ctx, path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = f.Read(make([]byte, 1))
		return err
	}
	for _, path := range []string{pipe(t), silent} {
		for _, read := range []func(context.Context, string) error{whole, piecemeal} {
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error)
			go func() { failed <- read(ctx, path) }()
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		}
	}
}

// A file is read to its end, and closed.
func TestOpen(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "file"), "text", 0o600)
	f, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(f); err != nil || string(text) != "text" {
		t.Errorf("%q, %v", text, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), path+"s"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
