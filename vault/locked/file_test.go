package locked

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadFile(t *testing.T) {
	for _, n := range []int{0, 1, 100, 4095, 4096, 9999} {
		for _, max := range []int{n - 1, n, n + 1, 2*n + 5000} {
			if max < 0 {
				continue
			}
			content := strings.Repeat("x", n)
			name := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			f, err := os.Open(name)
			if err != nil {
				t.Fatal(err)
			}
			b, got, err := ReadFile(f, max)
			f.Close()
			if n > max {
				if b != nil || !errors.Is(err, ErrTooLarge) {
					t.Errorf("%d bytes, at most %d: %v", n, max, err)
				}
				continue
			}
			if err != nil || got != n || string(b.Bytes()) != content {
				t.Errorf("%d bytes, at most %d: got %d, %v", n, max, got, err)
			}
			b.Destroy()
		}
	}
}

// TestReadFileFromPipe gets what it reads in pieces.
func TestReadFileFromPipe(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	written := make(chan error, 1)
	go func() {
		defer w.Close()
		for _, piece := range []string{"a", "bc", "def"} {
			if _, err := io.WriteString(w, piece); err != nil {
				written <- err
				return
			}
		}
		written <- nil
	}()
	b, n, err := ReadFile(r, 100)
	if err != nil || n != 6 || string(b.Bytes()) != "abcdef" {
		t.Errorf("got %d bytes, %v", n, err)
	}
	b.Destroy()
	if err := <-written; err != nil {
		t.Error(err)
	}
}

func TestReadFileFromTheMiddle(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(7, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	b, n, err := ReadFile(f, 3)
	if err != nil || n != 3 || string(b.Bytes()) != "789" {
		t.Errorf("got %d bytes, %v", n, err)
	}
	b.Destroy()
}

func TestReadFileErrors(t *testing.T) {
	f, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if b, _, err := ReadFile(f, 10); err == nil || b != nil {
		t.Error("reads a directory")
	}
	f.Close()
	if b, _, err := ReadFile(f, 10); !errors.Is(err, fs.ErrClosed) || b != nil {
		t.Errorf("closed file: %v", err)
	}
	if b, _, err := ReadFile(f, -1); err == nil || b != nil {
		t.Error("takes a negative limit")
	}
}
