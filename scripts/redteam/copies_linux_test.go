package redteam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is tried with a script whose command gets copies of its files.
var copyMoves = map[string]hostMove{
	"racing-script-sealed":  racingSealed,
	"racing-name-sealed":    nameSealed,
	"appearing-pipe-sealed": pipeSealed,
}

// Another script takes its place when its interpreter is about to run, and is written
// into it while it is read.
func racingSealed(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	exchange := g.scripts(t)
	command := []string{"./prog"}
	g.mode(t, "enforce")
	g.approveAs(t, withCopies, command...)
	race := &race{g, command, exchange, exchange}
	r := race.atExecution(t, "shell")
	if said(r, "evil") {
		t.Logf("at its execution: %+v", r)
		return open
	}
	if !said(r, "good") || !g.has(r) {
		t.Fatalf("at its execution it fails: %+v", r)
	}
	if r := g.changedWhileRead(t, withCopies); said(r, "evil") {
		t.Logf("while it is read: %+v", r)
		return open
	}
	return stopped
}

// A directory is moved when the copies are made, so that the file that an argument names
// behind the letter of an option is what the argument names as a whole.
func nameSealed(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", "case $1 in -f*) ;; *) echo evil ;; esac\n"+g.saying("good"))
	dir, moved := filepath.Join(g.dir, "dir"), filepath.Join(g.dir, "-fdir")
	if err := errors.Join(os.Mkdir(dir, 0o755), os.Chown(dir, g.alice.uid, g.alice.uid)); err != nil {
		t.Fatal(err)
	}
	g.write(t, "dir/lib.sh", "")
	g.write(t, "last", "")
	if r := g.carry(t, try{command: []string{"sh", "good.sh", "/proc/self/fd/0"}}); !said(r, "evil") {
		t.Fatalf("another argument comes to nothing anyway: %+v", r)
	}
	command := []string{"sh", "good.sh", "-fdir/lib.sh", "last"}
	g.mode(t, "enforce")
	g.approveAs(t, withCopies, command...)
	rename := func(from, to string) func() {
		return func() {
			if err := os.Rename(from, to); err != nil {
				t.Error(err)
			}
		}
	}
	race := &race{g, command, rename(dir, moved), rename(moved, dir)}
	opened := 0 // for the look, and for the copy, when that of lib.sh is made
	r := race.run(t, "last", unix.FAN_OPEN_PERM, func(o opening, change func()) {
		if o.pid != g.daemon.Cmd.Process.Pid {
			return
		}
		if opened++; opened == 2 {
			change()
		}
	})
	if r.stdout == "" && !strings.Contains(r.stderr, "names another file") {
		t.Fatalf("it failed otherwise: %+v", r)
	}
	return unless(said(r, "evil"), stopped)
}

// What is no plain file takes the place of a script, and of a file that an argument names,
// between the look at it and the copy.
func pipeSealed(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "evil.sh", "#!/bin/sh\n"+g.saying("evil"))
	for _, command := range [][]string{{"./good.sh"}, goodScript} {
		g.write(t, "good.sh", "#!/bin/sh\n"+g.saying("good"))
		g.mode(t, "enforce")
		g.approveAs(t, withCopies, command...)
		path := filepath.Join(g.dir, "good.sh")
		for name, make := range map[string]func() error{
			"a pipe":      func() error { return errors.Join(unix.Mkfifo(path, 0o644), os.Chmod(path, 0o755)) },
			"a link":      func() error { return os.Symlink("evil.sh", path) },
			"a directory": func() error { return os.Mkdir(path, 0o755) },
		} {
			r, waited := g.inPlace(t, command, path, make)
			if waited || r.stdout != "" {
				t.Logf("%s for %q: %v, %+v", name, command, waited, r)
				return open
			}
			if !strings.Contains(r.stderr, "it was changed while it was looked at") && !strings.Contains(r.stderr, "making a copy of") {
				t.Fatalf("%s for %q: it failed otherwise: %+v", name, command, r)
			}
		}
	}
	return stopped
}

// inPlace has something else be made in the place of an approved command's file, after the
// look at it, and reports whether the daemon waited for who writes into it.
func (g *guarded) inPlace(t *testing.T, command []string, path string, make func() error) (r result, waited bool) {
	t.Helper()
	aside := path + ".aside"
	change := func() {
		if err := errors.Join(os.Rename(path, aside), make(), os.Lchown(path, g.alice.uid, g.alice.uid)); err != nil {
			t.Error(err)
		}
	}
	undo := func() {
		if err := errors.Join(os.Remove(path), os.Rename(aside, path)); err != nil {
			t.Fatal(err)
		}
	}
	late := time.AfterFunc(patience/6, func() {
		if f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil { // somebody reads
			fmt.Fprintln(f, "echo evil")
			f.Close()
		}
	})
	race := &race{g, command, change, undo}
	r = race.afterLook(t, filepath.Base(path))
	return r, !late.Stop()
}
