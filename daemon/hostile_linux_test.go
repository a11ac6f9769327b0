package daemon_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// hostile are names that are more than a name wherever they are put without care:
// into a line, a terminal, a path, a URL, or memory.
var hostile = map[string]string{
	"empty":             "",
	"a line more":       "app\ntime=2026-01-01 level=INFO msg=\"all is well\"",
	"a carriage return": "app\rcortex: all is well",
	"a NUL":             "app\x00",
	"a title":           "app\x1b]0;owned\a",
	"a clipboard":       "\x1b]52;c;b3duZWQ=\a",
	"a C1 control":      "app\u009b2J",
	"a way up":          "../../etc/passwd",
	"hidden":            ".ssh",
	"a path":            "/etc/passwd",
	"a backslash":       `..\app`,
	"a query":           "app?admin=1",
	"a fragment":        "app#x",
	"escaped":           "app%2f..%2fother",
	"a blank":           "app app",
	"right to left":     "app\u202eppa",
	"another script":    "аpp",
	"not UTF-8":         "app\xff",
	"one too long":      strings.Repeat("a", 129),
	"long":              strings.Repeat("a\x1b[2J\n", 1000),
}

// A project's name that could be more than a name goes no further than the socket:
// not to the server, a file, the log, a status, or whoever sent it.
func TestHostileProjectNames(t *testing.T) {
	h := newHost(t)
	h.start()
	h.run("true").want(0, "")
	before, logged := tree(t, h.dir), len(h.log.String())
	for what, name := range hostile {
		for _, cmd := range []string{ipc.CmdRun, ipc.CmdRedact} {
			line, err := json.Marshal(map[string]any{"cmd": cmd, "program": "true", "project": name, "names": []string{"OPENAI_API_KEY"}})
			if err != nil {
				t.Fatal(err)
			}
			if what == "not UTF-8" { // which Marshal mends
				line = []byte(strings.ReplaceAll(string(line), `\ufffd`, "\xff"))
			}
			answer := h.ask(string(line))
			var r ipc.Response
			if err := json.Unmarshal([]byte(answer), &r); err != nil || r.OK || r.Error == "" || !plain(answer) || name != "" && strings.Contains(answer, name) {
				t.Errorf("%s, to %s: %q", what, cmd, answer)
			}
		}
	}
	if status := h.ask(`{"cmd":"status"}`); !plain(status) || strings.Contains(status, "owned") || strings.Contains(status, "passwd") {
		t.Errorf("%q", status)
	}
	for line := range strings.Lines(h.log.String()[logged:]) {
		if line = strings.TrimSuffix(line, "\n"); !plain(line) || !strings.HasPrefix(line, "time=") || strings.Contains(line, "all is well") || len(line) > 1000 {
			t.Errorf("it is logged: %.200q", line)
		}
	}
	if after := tree(t, h.dir); after != before {
		t.Errorf("files before:\n%s\nand after:\n%s", before, after)
	}
	h.vault.wantCalls(1, 1, 1)
	h.run("true").want(0, "")
}

// plain reports whether a text shows as it is in a terminal, on one line.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) })
}

// tree returns the names of the files below a directory.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	if err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		names = append(names, path)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// The lock is a file of that name and no other: through a link, taking it would
// empty whatever it leads to.
func TestLockIsNoLink(t *testing.T) {
	h := newHost(t)
	precious := filepath.Join(t.TempDir(), "precious")
	if err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o600), os.Symlink(precious, h.sock+".lock")); err != nil {
		t.Fatal(err)
	}
	h.refused(h.config(), "locking the socket: open "+h.sock+".lock: too many levels of symbolic links")
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("%q, %v", text, err)
	}
}
