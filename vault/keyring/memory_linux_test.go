package keyring

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemAvailable(t *testing.T) {
	for text, want := range map[string]uint64{
		"MemTotal:       16 kB\nMemFree: 3 kB\nMemAvailable:   8123456 kB\nBuffers: 1 kB\n": 8123456 << 10,
		"MemAvailable: 0 kB\n": 0,
	} {
		if got, ok := memAvailable([]byte(text)); !ok || got != want {
			t.Errorf("%q: %d, %t", text, got, ok)
		}
	}
	for _, text := range []string{"", "MemTotal: 16 kB\n", "MemAvailable: 8123456\n", "MemAvailable: x kB\n", "MemAvailable: -1 kB\n", "MemAvailable: 99999999999999999999 kB\n", "MemAvailable: 1 MB\n"} {
		if got, ok := memAvailable([]byte(text)); ok {
			t.Errorf("%q: %d", text, got)
		}
	}
}

func TestHeadroom(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(group string, want uint64, limited bool) {
		t.Helper()
		if got, ok := headroom(root, group); got != want || ok != limited {
			t.Errorf("%s: %d, %t; want %d, %t", group, got, ok, want, limited)
		}
	}
	expect("/a/b", 0, false)
	write("a/b/memory.max", "max\n")
	write("a/b/memory.current", "500\n")
	expect("/a/b", 0, false)
	write("a/memory.max", "3000\n")
	write("a/memory.current", "1000\n")
	expect("/a/b", 2000, true)
	write("a/b/memory.max", "1500\n")
	expect("/a/b", 1000, true)
	write("a/b/memory.current", "1600\n") // it may be above its limit for a while
	expect("/a/b", 0, true)
	expect("/a", 2000, true)
	expect("/", 0, false)
	write("memory.max", "700\n")
	write("memory.current", "100\n")
	expect("/", 600, true)
}
