package redteam

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A race is a command whose program or script becomes another at a moment at which
// somebody waits for that: who is late does not lose it.
type race struct {
	*guarded
	command      []string
	change, undo func()
}

// race returns one whose command somebody has approved, and was seen to be another once
// it is changed, where nothing stands in the way; the approver was told what is weak.
func (g *guarded) race(t *testing.T, weak string, change, undo func(), command ...string) *race {
	t.Helper()
	g.mode(t, "enforce")
	g.approve(t, command...)
	g.weak(t, weak)
	g.mode(t, "any")
	change()
	if r := g.carry(t, try{command: command}); !said(r, "evil") || !g.has(r) {
		t.Fatalf("the change comes to nothing anyway: %+v", r)
	}
	undo()
	g.mode(t, "enforce")
	return &race{g, command, change, undo}
}

// run runs the command, with what hears of a file being opened, and calls change, once.
func (r *race) run(t *testing.T, name string, kinds uint64, hear func(o opening, change func())) result {
	t.Helper()
	r.still(t, r.command...)
	var changed bool
	change := sync.OnceFunc(func() {
		r.change()
		changed = true
	})
	end := atOpening(t, filepath.Join(r.dir, name), kinds, func(o opening) { hear(o, change) })
	got := r.carry(t, try{command: r.command})
	end()
	if !changed {
		t.Fatalf("nobody opened %s: %+v", name, got)
	}
	r.undo()
	return got
}

// afterLook makes the change between the daemon's look at a file and the vault's answer,
// for which the vault is stopped.
func (r *race) afterLook(t *testing.T, name string) result {
	t.Helper()
	server, looker := r.site.program, r.daemon.Cmd.Process.Pid
	return r.run(t, name, unix.FAN_OPEN_PERM|unix.FAN_CLOSE_NOWRITE, func(o opening, change func()) {
		switch {
		case o.pid != looker:
		case o.kind == unix.FAN_OPEN_PERM:
			halt(t, server.Cmd.Process.Pid)
		default:
			change()
			server.Cmd.Process.Signal(unix.SIGCONT)
		}
	})
}

// atExecution makes the change when a file is open to be executed, and is not yet.
func (r *race) atExecution(t *testing.T, name string) result {
	t.Helper()
	return r.run(t, name, unix.FAN_OPEN_EXEC_PERM, func(_ opening, change func()) { change() })
}

// halt stops a process.
func halt(t *testing.T, pid int) {
	unix.Kill(pid, unix.SIGSTOP)
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
		running := 0
		for _, path := range threads {
			stat, _ := os.ReadFile(path)
			if _, state, _ := bytes.Cut(stat, []byte(") ")); !bytes.HasPrefix(state, []byte("T")) {
				running++
			}
		}
		if running == 0 {
			return
		}
	}
	t.Errorf("process %d does not stop", pid)
}

// exchange has two files take each other's place.
func (g *guarded) exchange(t *testing.T, one, other string) {
	if err := unix.Renameat2(unix.AT_FDCWD, filepath.Join(g.dir, one), unix.AT_FDCWD, filepath.Join(g.dir, other), unix.RENAME_EXCHANGE); err != nil {
		t.Error(err)
	}
}

// shells puts two shells into the directory, of which one is to be approved, and a script
// that tells by which it is run, and as what the kernel has executed that.
func (g *guarded) shells(t *testing.T) {
	t.Helper()
	g.write(t, "prog", string(read(t, "/bin/sh")))
	g.write(t, "other", string(read(t, "/bin/bash")))
	g.write(t, "good.sh", "test -z \"$BASH_VERSION\" || echo evil\ncat /proc/$$/comm\n"+g.saying("good"))
}

// The two take each other's place at each moment at which that could matter.
func racingCommand(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.shells(t)
	exchange := func() { g.exchange(t, "prog", "other") }
	race := g.race(t, "program", exchange, exchange, "./prog", "good.sh")
	switch r := race.afterLook(t, "prog"); {
	case r.stdout != "":
		t.Logf("after the look: %+v", r)
		return open
	case !strings.Contains(r.stderr, "it was changed while it was looked at"):
		t.Fatalf("after the look it failed otherwise: %+v", r)
	}
	switch r := race.atExecution(t, "prog"); {
	case said(r, "evil"):
		t.Logf("at its execution: %+v", r)
		return open
	case said(r, "prog"): // a moment before, its path could have led elsewhere
		t.Logf("it is executed by its path: %+v", r)
		return open
	case !g.has(r):
		t.Fatalf("at its execution it fails: %+v", r)
	}
	return stopped
}

// One of them is written into the other.
func racingWrite(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.shells(t)
	write := func(name string) {
		if err := os.WriteFile(filepath.Join(g.dir, "prog"), read(t, name), 0o755); err != nil {
			t.Error(err)
		}
	}
	race := g.race(t, "program", func() { write("/bin/bash") }, func() { write("/bin/sh") }, "./prog", "good.sh")
	if r := race.afterLook(t, "prog"); r.stdout != "" {
		t.Fatalf("not even before the last look it is refused: %+v", r)
	}
	r := race.atExecution(t, "prog")
	return unless(said(r, "evil") && g.has(r), stopped)
}

// Two scripts take each other's place when their interpreter is about to run.
func racingScript(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	exchange := g.scripts(t)
	race := g.race(t, "program", exchange, exchange, "./prog")
	if r := race.afterLook(t, "prog"); r.stdout != "" {
		t.Fatalf("not even before the last look it is refused: %+v", r)
	}
	r := race.atExecution(t, "shell")
	return unless(said(r, "evil") && g.has(r), stopped)
}

// scripts puts two into the directory, and returns what has them take each other's place.
func (g *guarded) scripts(t *testing.T) (exchange func()) {
	t.Helper()
	g.write(t, "shell", string(read(t, "/bin/sh")))
	line := "#!" + filepath.Join(g.dir, "shell") + "\n"
	g.write(t, "prog", line+g.saying("good"))
	g.write(t, "other", line+g.saying("evil"))
	return func() { g.exchange(t, "prog", "other") }
}
