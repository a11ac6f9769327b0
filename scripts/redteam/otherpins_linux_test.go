package redteam

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What is tried where what was approved is of somebody else, or for something else.
var otherPinMoves = map[string]hostMove{
	"weaker-command":    weakerCommand,
	"pin-other-project": pinOtherProject,
	"group-program":     groupProgram,
	"mounted-over":      mountedOver,
}

// closed is a script of root's that says what good.sh says, in a directory of root's.
func (g *guarded) closed(t *testing.T) (path string) {
	t.Helper()
	dir := filepath.Join(g.host.dir, named("closed"))
	path = filepath.Join(dir, "prog")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(path, []byte("#!/bin/sh\n"+g.saying("good")), 0o755)); err != nil {
		t.Fatal(err)
	}
	return path
}

// What only others could change is open to whoever calls, afterwards.
func weakerCommand(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	path := g.closed(t)
	command := []string{path}
	change := func(path string, mode os.FileMode) func() {
		return func() {
			if err := os.Chmod(path, mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	return g.refuses(t, [][]string{command},
		try{name: "the file", command: command, prepare: change(path, 0o777), undo: change(path, 0o755)},
		try{name: "its directory", command: command, prepare: change(filepath.Dir(path), 0o777), undo: change(filepath.Dir(path), 0o755)},
	)
}

// What was approved for one project is run for another.
func pinOtherProject(t *testing.T, h *host) outcome {
	g, other := h.guarded(t), h.guarded(t)
	g.write(t, "good.sh", g.saying("good")+other.saying("good"))
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	return other.refuses(t, nil, try{name: "for the other", dir: g.dir, command: goodScript})
}

// A group of which alice is no member.
const groupID = 64151

// Somebody in the group that may write to a program does.
func groupProgram(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	path := g.closed(t)
	if err := errors.Join(os.Chown(path, 0, groupID), os.Chmod(path, 0o775)); err != nil {
		t.Fatal(err)
	}
	write := func(who somebody, word string) bool {
		cmd := h.as(t.Context(), who, "tee", path)
		cmd.Stdin = strings.NewReader("#!/bin/sh\n" + g.saying(word))
		return finish(t, cmd).status == 0
	}
	if write(h.bob, "evil") {
		t.Fatal("everybody can write to it")
	}
	member := h.bob
	member.groups = []uint32{groupID}
	change := func(word string) func() {
		return func() {
			if !write(member, word) {
				t.Fatal("nobody can write to it")
			}
		}
	}
	command := []string{path}
	return g.refuses(t, [][]string{command}, try{name: "by a member", command: command, prepare: change("evil"), undo: change("good")})
}

// Where alice calls from, another script is mounted in the place of the one that was
// approved, and another directory in that of its own.
func mountedOver(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	other := h.guarded(t)
	other.write(t, "good.sh", g.saying("evil"))
	carry := func(from, to string) result {
		cmd := g.cmd(t, try{command: goodScript})
		groups := "--clear-groups"
		if len(g.alice.groups) > 0 {
			groups = fmt.Sprintf("--groups=%d", g.alice.groups[0])
		}
		id := fmt.Sprint(g.alice.uid)
		over := exec.Command("unshare", append([]string{
			"--mount", "--propagation", "private", "sh", "-c", `mount --bind "$1" "$2" && cd "$3" && shift 3 && exec "$@"`, "sh", from, to, g.dir,
			"setpriv", "--reuid", id, "--regid", id, groups, cmd.Path,
		}, cmd.Args[1:]...)...)
		over.Env = cmd.Env
		return finish(t, over)
	}
	ways := [][2]string{{filepath.Join(other.dir, "good.sh"), filepath.Join(g.dir, "good.sh")}, {other.dir, g.dir}}
	g.mode(t, "any")
	for _, way := range ways {
		if r := carry(way[0], way[1]); !said(r, "evil") || !g.has(r) {
			t.Fatalf("%q comes to nothing anyway: %+v", way, r)
		}
	}
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	for _, way := range ways {
		if r := carry(way[0], way[1]); said(r, "evil") {
			t.Logf("%q: %+v", way, r)
			return open
		} else if !g.has(r) && r.status == 0 {
			t.Fatalf("%q: %+v", way, r)
		}
	}
	g.still(t, goodScript...)
	return stopped
}
