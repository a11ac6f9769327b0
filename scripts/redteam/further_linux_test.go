package redteam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is tried with descriptors above those of standard input, output and error.
var furtherMoves = map[string]hostMove{
	"further-descriptor":  furtherDescriptor,
	"further-into-pinned": furtherIntoPinned,
}

// A command prints a value into a file that its caller has open for it.
func furtherDescriptor(t *testing.T, h *host) outcome {
	path := filepath.Join(open777(t), "out")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", `echo plain >&3; printenv "$1" >&3`, "sh", h.variable)
	cmd.ExtraFiles = []*os.File{f}
	r := finish(t, cmd)
	text := string(read(t, path))
	if !strings.Contains(text, "plain\n") {
		t.Fatalf("nothing comes into the file: %q, %+v", text, r)
	}
	return unless(strings.Contains(text, h.value), stopped)
}

// A command that was approved does what it reads from such a file.
func furtherIntoPinned(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", "[ ! -e /proc/self/fd/3 ] || eval \"$(cat <&3)\"\n"+g.saying("good"))
	g.write(t, "evil", "echo evil\n")
	carry := func() result {
		f, err := os.Open(filepath.Join(g.dir, "evil"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd := g.cmd(t, try{command: goodScript})
		cmd.ExtraFiles = []*os.File{f}
		return finish(t, cmd)
	}
	g.mode(t, "any")
	if r := carry(); !said(r, "evil") || !g.has(r) {
		t.Fatalf("it comes to nothing anyway: %+v", r)
	}
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	r := carry()
	if !said(r, "evil") && !g.has(r) {
		t.Fatalf("it does not run with one: %+v", r)
	}
	return unless(said(r, "evil"), stopped)
}
