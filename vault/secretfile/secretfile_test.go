package secretfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func write(t *testing.T, path, text string, mode os.FileMode) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	long := strings.Repeat("x", Max)
	for text, want := range map[string]string{
		"hush": "hush", " \thush hush\r\n\n": "hush hush", long: long, long[2:] + "\n\n": long[2:],
		"": "is blank", " \n": "is blank", long + "\n": "longer than 4096", long + long: "longer than 4096",
	} {
		path := write(t, filepath.Join(t.TempDir(), "secret"), text, 0o600)
		got, err := Read(t.Context(), path, func(path string) { t.Errorf("%s is open to others?", path) })
		if err != nil {
			if !strings.Contains(err.Error(), path+" ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "xx") {
				t.Errorf("%.20q: %v", text, err)
			}
		} else if string(got.Reveal()) != want {
			t.Errorf("%.20q: %.20q", text, got.Reveal())
		}
	}
	if _, err := Read(t.Context(), filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := Read(t.Context(), t.TempDir(), func(string) {}); err == nil {
		t.Error("a directory was read")
	}
}

// Whoever keeps a secret where others can read it hears of it, once, and is
// served.
func TestExposed(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", credentials+"/")
	read := func(path string) (warned []string) {
		t.Helper()
		got, err := Read(t.Context(), path, func(path string) { warned = append(warned, path) })
		if err != nil || string(got.Reveal()) != "hush" {
			t.Errorf("%s: %q, %v", path, got.Reveal(), err)
		}
		return warned
	}
	for mode, exposed := range map[os.FileMode]bool{0o600: false, 0o400: false, 0o700: false, 0o640: true, 0o604: true, 0o620: true, 0o444: true} {
		path := write(t, filepath.Join(dir, mode.String()), "hush", mode)
		if warned := read(path); exposed != slices.Equal(warned, []string{path}) || !exposed && len(warned) > 0 {
			t.Errorf("%s: warned of %q", mode, warned)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Chdir(dir)
	if warned := read(write(t, "here", "hush", 0o644)); len(warned) != 1 {
		t.Errorf("not warned of a file in the working directory")
	}
	t.Setenv("CREDENTIALS_DIRECTORY", credentials+"/")
	if warned := read(write(t, filepath.Join(credentials, "cred"), "hush", 0o440)); len(warned) > 0 {
		t.Errorf("warned of a credential: %q", warned)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("hush\n")
	w.Close()
	if warned := read(filepath.Join("/dev/fd", strconv.Itoa(int(r.Fd())))); len(warned) > 0 {
		t.Errorf("warned of a pipe: %q", warned)
	}
	f, err := os.Open(write(t, filepath.Join(dir, "passed"), "hush", 0o644))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if warned := read(filepath.Join("/dev/fd", strconv.Itoa(int(f.Fd())))); len(warned) > 0 {
		t.Errorf("warned of a passed descriptor: %q", warned)
	}
}
