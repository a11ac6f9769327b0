package secretfile

import (
	"context"
	"errors"
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
	for _, path := range []string{pipe(t), silent} {
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error)
		go func() {
			_, err := Read(ctx, path, func(string) {})
			failed <- err
		}()
		cancel()
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
}
