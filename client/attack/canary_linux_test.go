package attack

import (
	"bytes"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

const aCanary = ipc.CanaryPrefix + "0123456789abcdef0123456789abcdef"

func TestHolds(t *testing.T) {
	for text, want := range map[string]bool{
		aCanary: true, "x" + aCanary + "y": true, ipc.CanaryPrefix + aCanary: true, aCanary[:20] + aCanary: true,
		"": false, aCanary[:len(aCanary)-1]: false, strings.ToUpper(aCanary): false, strings.Replace(aCanary, "e", "g", 1): false,
		newControl(): false, ipc.CanaryPrefix + "‹cortex:CORTEX_CANARY›": false,
	} {
		if holdsCanary([]byte(text)) != want {
			t.Errorf("%q", text)
		}
	}
	if !holds([]byte(newControl()), controlPrefix) {
		t.Error("a control is none")
	}
}

// What is printed in a form can be read again: a mask that does nothing is seen to do
// nothing, and one that takes too much away, too.
func TestForms(t *testing.T) {
	t.Setenv(ipc.CanaryName, aCanary)
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte(aCanary), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(ipc.CanaryFileName, path)
	for _, which := range []string{"encodings", "slow", "transforms"} {
		all := forms(which)
		var out bytes.Buffer
		printForms(&out, all, newControl())
		seen, err := shown(out.String(), all)
		slices.Sort(seen)
		if want := slices.Sorted(maps.Keys(all)); err != nil || !slices.Equal(seen, want) || strings.Count(out.String(), "\n") != 3*len(all) {
			t.Errorf("%s: %q, %v", which, seen, err)
		}
		lines := slices.Collect(strings.Lines(out.String()))
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, "\tcontrol\t") })
		if _, err := shown(strings.Join(lines, ""), all); err == nil {
			t.Errorf("%s: the controls did not come through", which)
		}
		if _, err := shown("", all); err == nil {
			t.Errorf("%s: nothing was printed", which)
		}
	}
}

func TestPlaced(t *testing.T) {
	var out bytes.Buffer
	place(&out, 1, aCanary)
	place(&out, 2, "other")
	if got := placed(out.String(), 1); !holdsCanary(got) || strings.TrimSpace(string(placed(out.String(), 2))) != "other" {
		t.Errorf("%q", got)
	}
	if got := placed("\x1b[1;999Hx\x1b[1;0Hx\x1b[1;3H", 1); strings.TrimSpace(string(got)) != "" {
		t.Errorf("%q", got)
	}
}

// A canary is found wherever it is in a file, also across the parts that are read.
func TestWithin(t *testing.T) {
	for _, at := range []int{0, onePart - 1, onePart + 256 - 20, onePart + 256, 3*onePart - 7} {
		text := make([]byte, 3*onePart+1000)
		copy(text[at:], aCanary)
		if canary, control := within(bytes.NewReader(text)); !canary || control {
			t.Errorf("at %d: %v, %v", at, canary, control)
		}
	}
	if canary, control := within(strings.NewReader(newControl())); canary || !control {
		t.Error("not the control")
	}
}

// Files that have changed are searched, and no others.
func TestSearch(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "b"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "a", "b", "f")
	if err := os.WriteFile(file, []byte(aCanary), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &search{since: info.ModTime(), until: info.ModTime().Add(searchTime), say: t.Logf}
	s.below(t.Context(), dir, nil)
	if !slices.Equal(s.canaries, []string{file}) || s.looked != 1 || s.changed != 1 || s.late {
		t.Errorf("%+v", s)
	}
	os.Chtimes(file, info.ModTime().AddDate(-1, 0, 0), info.ModTime().AddDate(-1, 0, 0)) // which changes it
	s = &search{since: info.ModTime().Add(searchTime), until: info.ModTime().Add(searchTime), say: t.Logf}
	s.below(t.Context(), dir, nil)
	if len(s.canaries) != 0 || s.looked != 1 {
		t.Errorf("%+v", s)
	}
	s = &search{until: info.ModTime().AddDate(-1, 0, 0), say: t.Logf}
	if s.below(t.Context(), dir, nil); !s.late || !strings.Contains(s.String(), "left out") {
		t.Errorf("%+v", s)
	}
}

func TestWritable(t *testing.T) {
	dirs := writable()
	if slices.Contains(dirs, "/proc") || !slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(os.TempDir()+"/", strings.TrimSuffix(dir, "/")+"/") }) {
		t.Errorf("%q", dirs)
	}
	if got := unescaped(`/a\040b\134c`); got != `/a b\c` {
		t.Error(got)
	}
}

func TestStatField(t *testing.T) {
	for text, want := range map[string]string{
		"7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 4711 1": "4711",
		"7 (a) Z 1 7 7 0 -1 4194560 100 0 0 0 0 0 0 0 20 0 1 0 4711 1":    "",
		"": "", "7 (a) S 1": "",
	} {
		if got := statField([]byte(text)); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}
