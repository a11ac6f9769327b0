package harden

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// probed is what the child prints; see testdata/probe.
type probed struct {
	Measures   []Measure
	Core       [2]uint64
	Dumpable   int
	Umask      int
	NoNewPrivs []string
}

// measure returns the measure called name.
func (p probed) measure(t *testing.T, name string) Measure {
	t.Helper()
	i := slices.IndexFunc(p.Measures, func(m Measure) bool { return m.Name == name })
	if i < 0 {
		t.Fatalf("no measure called %q in %+v", name, p.Measures)
	}
	return p.Measures[i]
}

// buildProbe compiles the child as the product is compiled, without cgo: with
// it, as under the race detector, not all threads can be reached.
func buildProbe(t *testing.T) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "probe")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", exe, "./testdata/probe")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building probe: %v\n%s", err, out)
	}
	return exe
}

// probe runs the child with words that tell it what to do, and returns what it
// says and the file it made.
func probe(t *testing.T, exe string, environ []string, words ...string) (probed, os.FileInfo) {
	t.Helper()
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // for nobody
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	cmd := exec.CommandContext(t.Context(), exe, words...)
	cmd.Env = append(environ, "PROBE_FILE="+file)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("probe: %v\n%s", err, out)
	}
	var p probed
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return p, info
}

func TestProcess(t *testing.T) {
	exe := buildProbe(t)

	t.Run("all", func(t *testing.T) {
		p, file := probe(t, exe, nil)
		for _, name := range []string{"not dumpable", "core dumps", "umask", "no new privileges", "locked memory", "environment"} {
			if m := p.measure(t, name); !m.OK || m.Detail == "" {
				t.Errorf("%+v", m)
			}
		}
		p.measure(t, "swap") // says whatever this machine has
		if p.Dumpable != 0 {
			t.Errorf("dumpable is %d", p.Dumpable)
		}
		if p.Core != [2]uint64{1, 1} {
			t.Errorf("RLIMIT_CORE is %d", p.Core)
		}
		if p.Umask != 0o077 || file.Mode() != 0o600 {
			t.Errorf("umask is %o, a new file's mode %s", p.Umask, file.Mode())
		}
		if len(p.NoNewPrivs) < 2 || slices.ContainsFunc(p.NoNewPrivs, func(s string) bool { return s != "1" }) {
			t.Errorf("NoNewPrivs of its threads: %q", p.NoNewPrivs)
		}
	})
	t.Run("new privileges", func(t *testing.T) {
		p, _ := probe(t, exe, nil, "new-privileges")
		if slices.Contains(p.NoNewPrivs, "1") {
			t.Errorf("NoNewPrivs of its threads: %q", p.NoNewPrivs)
		}
		if slices.ContainsFunc(p.Measures, func(m Measure) bool { return m.Name == "no new privileges" }) {
			t.Error("reports what it was told to leave")
		}
	})
	t.Run("preload", func(t *testing.T) {
		p, _ := probe(t, exe, []string{"LD_PRELOAD=/nonexistent/hook.so"})
		if m := p.measure(t, "environment"); m.OK || !strings.Contains(m.Detail, "LD_PRELOAD") || strings.Contains(m.Detail, "hook") {
			t.Errorf("%+v", m)
		}
	})
	t.Run("no memory can be locked", func(t *testing.T) {
		words := []string{"no-lock"}
		if os.Getuid() == 0 {
			words = append(words, "nobody") // root may lock what it wants
		}
		p, _ := probe(t, exe, nil, words...)
		if m := p.measure(t, "locked memory"); m.OK || !strings.Contains(m.Detail, "of 1 pages for keys 1 lack some of it") || !strings.Contains(m.Detail, "locking: ") {
			t.Errorf("%+v", m)
		}
	})
	t.Run("core limit was zero", func(t *testing.T) {
		words := []string{"no-core"}
		if os.Getuid() == 0 {
			words = append(words, "nobody") // root could raise it again
		}
		p, _ := probe(t, exe, nil, words...)
		pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
		if err != nil {
			t.Fatal(err)
		}
		if m := p.measure(t, "core dumps"); p.Core != [2]uint64{0, 0} || m.OK == (pattern[0] == '|' || pattern[0] == '@') {
			t.Errorf("%+v with limits %d, core_pattern %q", m, p.Core, pattern)
		}
		if m := p.measure(t, "not dumpable"); !m.OK || p.Dumpable != 0 {
			t.Errorf("%+v, dumpable is %d", m, p.Dumpable)
		}
	})
}

func TestCoreAlreadyZero(t *testing.T) {
	for pattern, want := range map[string]bool{
		"core\n": true, "/var/core/%e.%p\n": true, "": true, "|/usr/lib/systemd/systemd-coredump %P\n": false, "@/run/coredump.socket\n": false,
	} {
		root := tree(t, map[string]string{"proc/sys/kernel/core_pattern": pattern})
		if m := coreAlreadyZero(root, unix.EPERM); m.OK != want || m.Name != "core dumps" {
			t.Errorf("%q: %+v", pattern, m)
		}
	}
	if m := coreAlreadyZero(t.TempDir(), unix.EPERM); m.OK || m.Detail != "operation not permitted" {
		t.Errorf("without /proc: %+v", m)
	}
}

// tree returns a directory with the given files. A name that ends in a slash
// is a directory, or a symbolic link to what its text says.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		var err error
		switch {
		case !strings.HasSuffix(name, "/"):
			err = os.WriteFile(path, []byte(text), 0o600)
		case text == "":
			err = os.MkdirAll(path, 0o700)
		default:
			err = os.Symlink(text, path)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}
