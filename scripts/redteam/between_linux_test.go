package redteam

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// What is tried between a look and what follows from it, and with what an approval names.
var betweenMoves = map[string]hostMove{
	"project-file-swapped": projectFileSwapped,
	"project-file-linked":  projectFileLinked,
	"socket-below-others":  socketBelowOthers,
	"denied-elsewhere":     deniedElsewhere,
	"glued-file":           gluedFile,
	"appearing-pipe":       appearingPipe,
	"wrapped-interpreter":  wrappedInterpreter,
	"home-of-runs":         homeOfRuns,
}

// A .cortex.toml that was allowed names another project as soon as it was read.
func projectFileSwapped(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	other, _, _, another := h.owned(t)
	h.run(t, h.alice, other, variable, "true") // approved for both
	text := func(project string) string { return fmt.Sprintf("project = %q\nnames = [%q]\n", project, variable) }
	dir := h.repository(t, map[string]string{".cortex.toml": text(project)})
	path := filepath.Join(dir, ".cortex.toml")
	command := []string{"run", "--", "sh", "-c", `printenv "$1" "CORTEX_PROJECT" | tr a-zA-Z n-za-mN-ZA-M`, "sh", variable}
	if r := h.typed(t, dir, "allow"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	before := len(h.fetches(t, other))
	var changed bool
	change := sync.OnceFunc(func() {
		if err := os.WriteFile(path, []byte(text(other)), 0o644); err != nil {
			t.Error(err)
		}
		changed = true
	})
	end := atOpening(t, path, unix.FAN_OPEN_PERM|unix.FAN_CLOSE_NOWRITE, func(o opening) {
		if o.kind == unix.FAN_CLOSE_NOWRITE {
			change()
		}
	})
	r := h.typed(t, dir, command...)
	end()
	switch {
	case !changed:
		t.Fatalf("nobody read the file: %+v", r)
	case len(h.fetches(t, other)) > before || strings.Contains(untold(r.stdout), another):
		return open
	case !strings.Contains(untold(r.stdout), value):
		t.Fatalf("what was allowed does not run: %+v", r)
	}
	if r := h.typed(t, dir, command...); r.status == 0 {
		t.Fatalf("the change is not even seen the next time: %+v", r)
	}
	return stopped
}

// A repository brings a link to the .cortex.toml of another one, which was allowed.
func projectFileLinked(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	const name = ".cortex.toml"
	dir := h.repository(t, map[string]string{name: fmt.Sprintf("project = %q\nnames = [%q]\n", project, variable)})
	if r := h.typed(t, dir, "allow"); r.status != 0 {
		t.Fatalf("%+v", r)
	}
	command := append([]string{"run", "--"}, told(variable)...)
	if r := h.typed(t, dir, command...); untold(r.stdout) != value {
		t.Fatalf("what was allowed does not count: %+v", r)
	}
	for _, target := range []string{filepath.Join(dir, name), filepath.Join("..", filepath.Base(dir), name)} {
		other := h.repository(t, nil)
		if err := os.Symlink(target, filepath.Join(other, name)); err != nil {
			t.Fatal(err)
		}
		r := h.typed(t, other, command...)
		if untold(r.stdout) == value {
			return open
		}
		if !strings.Contains(r.stderr, "it is a symbolic link") {
			t.Fatalf("it failed otherwise: %+v", r)
		}
	}
	return stopped
}

// fetches returns the records of a project's values having been fetched.
func (h *host) fetches(t *testing.T, project string) (rows []record) {
	t.Helper()
	for _, r := range h.trail(t, "get_secrets") {
		if r.Project == project {
			rows = append(rows, r)
		}
	}
	return rows
}

// Somebody has a daemon listen in a directory that is safe, in one of his own.
func socketBelowOthers(t *testing.T, h *host) outcome {
	listens := func(above somebody) bool {
		outer := filepath.Join(h.dir, named("outer"))
		inner := filepath.Join(outer, "inner")
		h.mkdir(t, inner, 0o700)
		if err := errors.Join(os.Chmod(outer, 0o755), os.Chown(outer, above.uid, above.uid)); err != nil {
			t.Fatal(err)
		}
		cmd := h.as(t.Context(), h.own, filepath.Join(bin, "cortex-daemon"), "--sock", filepath.Join(inner, "agent.sock"))
		cmd.Args[0], cmd.Dir = "cortex-daemon", inner
		cmd.Env = append(cmd.Env, "CORTEX_HOME="+inner)
		d, err := e2e.Launch((*exec.Cmd).Start, cmd, "X_CORTEX_SOCK")
		if err != nil {
			t.Log(err)
			return false
		}
		d.Kill()
		return true
	}
	if !listens(h.own) {
		t.Fatal("it does not listen below a directory of its own either")
	}
	return unless(listens(h.bob), stopped)
}

// What was denied is run from elsewhere, with another script.
func deniedElsewhere(t *testing.T, h *host) outcome {
	g, other := h.guarded(t), h.guarded(t)
	g.mode(t, "enforce")
	id := pinID.FindStringSubmatch(g.carry(t, try{command: goodScript}).stderr)
	if id == nil {
		t.Fatal("nobody is asked")
	}
	g.Admin(t, http.MethodPost, "/admin/projects/"+g.project+"/pins/"+id[1]+"/deny", object{}, nil)
	other.write(t, "good.sh", g.saying("evil"))
	elsewhere := try{dir: other.dir, command: goodScript}
	r := g.carry(t, elsewhere)
	if g.has(r) || !strings.Contains(r.stderr, "denied by an administrator") {
		t.Logf("%+v", r)
		return open
	}
	g.mode(t, "any")
	if r := g.carry(t, elsewhere); !g.has(r) {
		t.Fatalf("it comes to nothing anyway: %+v", r)
	}
	return stopped
}

// A file that an argument names behind an option's letter.
func gluedFile(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", `. "./${1#??}"`+"\n")
	good := func() { g.write(t, "lib.sh", g.saying("good")) }
	good()
	command := []string{"sh", "good.sh", "-flib.sh"}
	return g.refuses(t, [][]string{command}, try{name: "changed", command: command, prepare: func() { g.write(t, "lib.sh", g.saying("evil")) }, undo: good})
}

// A pipe appears, after the look, where an argument names nothing.
func appearingPipe(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", "test ! -p \"$1\" || echo evil\n"+g.saying("good"))
	g.write(t, "last", "")
	pipe := filepath.Join(g.dir, "pipe")
	appear := func() {
		if err := unix.Mkfifo(pipe, 0o644); err != nil {
			t.Error(err)
		}
	}
	race := g.race(t, "file:0", appear, func() { os.Remove(pipe) }, "sh", "good.sh", "pipe", "last")
	r := race.afterLook(t, "last")
	if r.stdout == "" && !strings.Contains(r.stderr, "was not there") {
		t.Fatalf("it failed otherwise: %+v", r)
	}
	return unless(r.stdout != "", stopped)
}

// The approver is to overlook that a command has its program in an argument.
func wrappedInterpreter(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.mode(t, "enforce")
	g.write(t, "extglob", "")
	code := g.saying("good")
	text := `BEGIN{system("echo good; printenv ` + g.variable + ` | tr a-zA-Z n-za-mN-ZA-M")}`
	for _, command := range [][]string{
		{"env", "sh", "-c", code},
		{"timeout", "60", "sh", "-c", code},
		{"nice", "sh", "-c", code},
		{"bash", "+O", "extglob", "-c", code}, // which is a file, too
		{"awk", text, "-f", "good.sh"},
		{"perl", "-Mstrict;" + text, "good.sh"},
	} {
		g.approve(t, command...)
		var rows []map[string]any
		g.Admin(t, http.MethodGet, "/admin/projects/"+g.project+"/pins", nil, &rows)
		if text := string(marshal(rows)); strings.Count(text, `"inline"`) == 0 {
			t.Logf("%q is not marked", command)
			return open
		}
		for _, r := range rows {
			g.Admin(t, http.MethodDelete, fmt.Sprintf("/admin/projects/%s/pins/%v", g.project, r["id"]), nil, nil)
		}
	}
	return stopped
}

// An earlier command leaves settings at home, which an approved one reads.
func homeOfRuns(t *testing.T, h *host) outcome {
	g := h.guarded(t)
	g.write(t, "good.sh", `[ ! -f "$HOME/.settings" ] || . "$HOME/.settings"`+"\n"+g.saying("good"))
	g.mode(t, "enforce")
	g.approve(t, goodScript...)
	if h.in == personal {
		g.weak(t, "home")
	}
	for range max(1, len(h.spawners)) + 1 {
		r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", `echo echo evil > "$HOME/.settings"; . "$HOME/.settings"`)
		if !said(r, "evil") {
			t.Fatalf("a command cannot write at home: %+v", r)
		}
	}
	defer os.Remove(filepath.Join(h.home(h.alice), ".settings"))
	r := g.carry(t, try{command: goodScript})
	if !said(r, "evil") && !g.has(r) {
		t.Fatalf("it does not run any more: %+v", r)
	}
	return unless(said(r, "evil"), stopped)
}
