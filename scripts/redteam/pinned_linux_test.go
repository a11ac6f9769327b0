package redteam

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is tried where a project has its secrets for approved commands only.
var pinMoves = map[string]hostMove{
	"other-command":      otherCommand,
	"other-directory":    otherDirectory,
	"other-program":      otherProgram,
	"changed-script":     changedScript,
	"swapped-command":    swappedCommand,
	"racing-command":     racingCommand,
	"racing-write":       racingWrite,
	"racing-script":      racingScript,
	"changed-while-read": changedWhileRead,
	"code-beside":        codeBeside,
	"loading-variables":  loadingVariables,
	"loading-secrets":    loadingSecrets,
}

var goodScript = []string{"sh", "good.sh"}

func otherCommand(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "evil.sh", g.saying("evil"))
	return g.refuses(t, [][]string{goodScript},
		try{name: "code in an argument", command: told(g.variable)},
		try{name: "the script's code in an argument", command: []string{"sh", "-c", g.saying("good")}},
		try{name: "one more argument", command: []string{"sh", "good.sh", "more"}},
		try{name: "another script", command: []string{"sh", "evil.sh"}},
		try{name: "the same by another name", command: []string{"sh", "./good.sh"}},
		try{name: "another program", command: []string{"bash", "good.sh"}},
		try{name: "a program around it", command: []string{"env", "sh", "good.sh"}},
	)
}

func otherDirectory(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "lib.sh", g.saying("good"))
	g.write(t, "good.sh", ". ./lib.sh\n")
	other := h.guarded(t)
	other.write(t, "lib.sh", g.saying("evil"))
	other.write(t, "good.sh", ". ./lib.sh\n")
	return g.refuses(t, [][]string{goodScript},
		try{name: "a directory with the same script", dir: other.dir, command: goodScript},
		try{name: "the same script, from elsewhere", dir: other.dir, command: []string{"sh", filepath.Join(g.dir, "good.sh")}},
	)
}

// Programs of the name, or in the place, of the one that was approved.
func otherProgram(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	good, evil := "#!/bin/sh\n"+g.saying("good"), "#!/bin/sh\n"+g.saying("evil")
	g.write(t, "prog", good)
	own := filepath.Join(g.dir, "own")
	link := filepath.Join(g.dir, "link")
	for _, dir := range []string{own, link} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	g.write(t, "own/sh", evil)
	if err := os.Symlink("/bin/sh", filepath.Join(link, "sh")); err != nil {
		t.Fatal(err)
	}
	return g.refuses(t, [][]string{goodScript, {"./prog"}},
		try{name: "first in PATH", env: []string{"PATH=" + own + ":" + os.Getenv("PATH")}, command: goodScript},
		try{name: "a link to it", env: []string{"PATH=" + link + ":" + os.Getenv("PATH")}, command: goodScript},
		try{
			name: "replaced", command: []string{"./prog"},
			prepare: func() { g.write(t, "prog", evil) }, undo: func() { g.write(t, "prog", good) },
		},
		try{
			name: "another interpreter", command: []string{"./prog"},
			prepare: func() { g.write(t, "prog", strings.Replace(good, "/bin/sh", "/bin/bash", 1)) }, undo: func() { g.write(t, "prog", good) },
		},
	)
}

func changedScript(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	path := filepath.Join(g.dir, "good.sh")
	undo := func() { g.write(t, "good.sh", g.saying("good")) }
	return g.refuses(t, [][]string{goodScript},
		try{name: "replaced", command: goodScript, prepare: func() { g.write(t, "good.sh", g.saying("evil")) }, undo: undo},
		try{name: "a link to another", command: goodScript, undo: undo, prepare: func() {
			g.write(t, "evil.sh", g.saying("evil"))
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("evil.sh", path); err != nil {
				t.Fatal(err)
			}
		}},
		try{name: "written in its place, with its old times", command: goodScript, undo: undo, prepare: func() {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(g.saying("evil")), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}},
	)
}

// What an approved command reads, and no argument names.
func codeBeside(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "lib.sh", g.saying("good"))
	g.write(t, "good.sh", ". ./lib.sh\n")
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	g.weak(t, "dir")
	g.write(t, "lib.sh", g.saying("evil"))
	r := g.carry(t, try{command: goodScript})
	return unless(g.has(r) && said(r, "evil"), stopped)
}

// Variables of the caller's that make an approved command run other code, or that
// would make one of another kind do so: it says which of these it has.
func loadingVariables(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	names := []string{"LD_PRELOAD", "NODE_OPTIONS", "PYTHONPATH", "PERL5OPT", "RUBYOPT", "GIT_SSH_COMMAND", "ENV", "PAGER"}
	g.write(t, "good.sh", "TEXTDOMAIN=app\necho $\"said\"\n"+g.saying("good")+"printenv "+strings.Join(names, " ")+"\ntrue\n")
	g.write(t, "evil.sh", "echo evil\n")
	if err := os.MkdirAll(filepath.Join(g.dir, "evil/LC_MESSAGES"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.write(t, "evil/LC_MESSAGES/app.mo", translation("said", "$(echo; echo evil)"))
	if err := os.Mkdir(filepath.Join(g.dir, "own"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.write(t, "own/tr", "#!/bin/sh\necho evil\nexec /usr/bin/tr \"$@\"\n")
	command := []string{"bash", "good.sh"}
	variables := []string{"BASH_ENV=" + filepath.Join(g.dir, "evil.sh"), "BASH_FUNC_printenv%%=() { echo evil; command printenv \"$@\"; }", "PATH=" + filepath.Join(g.dir, "own") + ":/usr/bin:/bin"}
	for _, name := range names {
		variables = append(variables, name+"=evil")
	}
	language := []string{"LC_ALL=C.UTF-8", "LANGUAGE=../../.." + g.dir + "/evil"}
	g.mode(t, "any")
	if r := g.carry(t, try{env: language, command: command}); !said(r, "evil") {
		t.Fatalf("a translation comes to nothing anyway: %+v", r)
	}
	for _, v := range variables {
		if r := g.carry(t, try{env: []string{v}, command: command}); strings.Count(r.stdout, "evil\n") == 0 && !strings.Contains(untold(r.stdout), "evil") {
			t.Fatalf("%s comes to nothing anyway: %+v", v, r)
		}
	}
	g.mode(t, "enforce")
	g.approve(t, command...)
	r := g.carry(t, try{env: append(variables, language...), command: command})
	switch {
	case said(r, "evil") || strings.Contains(untold(r.stdout), "evil"):
		t.Logf("%+v", r)
		return open
	case !said(r, "good") || !g.has(r):
		t.Fatalf("it does not run without them: %+v", r)
	}
	return stopped
}

// translation is a file with one, as gettext(3) reads it.
func translation(from, to string) string {
	texts := []string{"", from, "Content-Type: text/plain; charset=UTF-8\n", to}
	file := []byte("\xde\x12\x04\x95")
	for _, n := range []uint32{0, 2, 28, 28 + 16, 0, 0} {
		file = binary.LittleEndian.AppendUint32(file, n)
	}
	at := uint32(len(file) + 8*len(texts))
	for _, text := range texts {
		file = binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(file, uint32(len(text))), at)
		at += uint32(len(text)) + 1
	}
	return string(file) + strings.Join(texts, "\x00") + "\x00"
}

// A secret as such a variable.
func loadingSecrets(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", g.saying("good")+"printenv NODE_OPTIONS OTHER | sed 's/^/more: /'\n")
	kinds := [][]string{{"--env", "NODE_OPTIONS=" + g.variable}, {"--file", g.variable + "=NODE_OPTIONS"}}
	g.mode(t, "any")
	for _, flags := range kinds {
		if r := g.carry(t, try{flags: flags, command: goodScript}); !strings.Contains(r.stdout, "more: ") {
			t.Fatalf("%q comes to nothing anyway: %+v", flags, r)
		}
	}
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	for _, flags := range kinds {
		r := g.carry(t, try{flags: flags, command: goodScript})
		if r.stdout != "" {
			t.Logf("%q: %+v", flags, r)
			return open
		}
		if !strings.Contains(r.stderr, "NODE_OPTIONS cannot be one of its secrets") {
			t.Fatalf("%q: it failed otherwise: %+v", flags, r)
		}
	}
	// A name that no pin lists is one of the agent's choice, too.
	r := g.carry(t, try{flags: []string{"--env", "OTHER=" + g.variable}, command: goodScript})
	if !strings.Contains(r.stderr, "OTHER cannot be one of its secrets") {
		t.Logf("as another variable: %+v", r)
		return open
	}
	return stopped
}
