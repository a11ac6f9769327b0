package redteam

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A guarded is a project that can have its secrets for approved commands only, with a
// directory of alice's, whose good.sh prints the value.
type guarded struct {
	*host
	project, variable, value string
	dir                      string
}

func (h *host) guarded(t *testing.T) *guarded {
	t.Helper()
	g := &guarded{host: h, dir: filepath.Join(h.work(h.alice), named("pins"))}
	g.project, g.variable, _, g.value = h.owned(t)
	if err := errors.Join(os.Mkdir(g.dir, 0o755), os.Chown(g.dir, h.alice.uid, h.alice.uid)); err != nil {
		t.Fatal(err)
	}
	g.write(t, "good.sh", g.saying("good"))
	return g
}

// saying is a script that says a word, and prints the value so that no mask sees it.
func (g *guarded) saying(word string) string {
	return fmt.Sprintf("echo %s\nprintenv %s | tr a-zA-Z n-za-mN-ZA-M\n", word, g.variable)
}

// write puts a new file of alice's in the place of one.
func (g *guarded) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(g.dir, name)
	next := path + ".next"
	if err := errors.Join(os.WriteFile(next, []byte(text), 0o755), os.Chown(next, g.alice.uid, g.alice.uid), os.Rename(next, path)); err != nil {
		t.Fatal(err)
	}
}

// mode sets what commands may have the project's secrets.
func (g *guarded) mode(t *testing.T, mode string) {
	t.Helper()
	g.Admin(t, http.MethodPut, "/admin/projects/"+g.project+"/settings", object{"commands": mode}, nil)
}

// A try is a run of alice's.
type try struct {
	name    string
	prepare func() // what she does before, if anything
	undo    func()
	dir     string // "" for the project's
	env     []string
	flags   []string
	command []string
}

// cmd returns it as a command.
func (g *guarded) cmd(t *testing.T, y try) *exec.Cmd {
	t.Helper()
	cmd := g.launcher(t, g.alice, g.project, g.variable, y.command...)
	cmd.Args = slices.Insert(cmd.Args, 2, y.flags...)
	cmd.Dir, cmd.Env = g.dir, append(cmd.Env, y.env...)
	if y.dir != "" {
		cmd.Dir = y.dir
	}
	return cmd
}

// carry carries a try out.
func (g *guarded) carry(t *testing.T, y try) result {
	t.Helper()
	if y.prepare != nil {
		y.prepare()
	}
	if y.undo != nil {
		defer y.undo()
	}
	return finish(t, g.cmd(t, y))
}

// has reports whether a run printed the value.
func (g *guarded) has(r result) bool { return strings.Contains(untold(r.stdout), g.value) }

// said reports whether what says a word was run.
func said(r result, word string) bool { return strings.Contains(r.stdout, word+"\n") }

var pinID = regexp.MustCompile(`(?m)^pin_id: ([0-9a-f-]{36})$`)

func (g *guarded) allow(t *testing.T, pin string) {
	t.Helper()
	g.allowAs(t, pin, object{})
}

// allowAs is allow with what the approver chooses.
func (g *guarded) allowAs(t *testing.T, pin string, how object) {
	t.Helper()
	g.Admin(t, http.MethodPost, "/admin/projects/"+g.project+"/pins/"+pin+"/approve", how, nil)
}

// approve has a command approved, which gets the value then.
func (g *guarded) approve(t *testing.T, command ...string) {
	t.Helper()
	g.approveAs(t, object{}, command...)
}

// withCopies is what an approver chooses so that a command gets copies of its files.
var withCopies = object{"sealed": true}

// approveAs is approve with what the approver chooses.
func (g *guarded) approveAs(t *testing.T, how object, command ...string) {
	t.Helper()
	r := finish(t, g.cmd(t, try{command: command}))
	id := pinID.FindStringSubmatch(r.stderr)
	if id == nil || g.has(r) {
		t.Fatalf("nobody is asked to approve it: %+v", r)
	}
	g.allowAs(t, id[1], how)
	g.still(t, command...)
}

// still ends the test unless an approved command gets the value.
func (g *guarded) still(t *testing.T, command ...string) {
	t.Helper()
	if r := finish(t, g.cmd(t, try{command: command})); !g.has(r) || !said(r, "good") {
		t.Fatalf("what was approved does not get its value: %+v", r)
	}
}

// weak ends the test unless the approver was told that something is weak.
func (g *guarded) weak(t *testing.T, what string) {
	t.Helper()
	var rows []map[string]any
	g.Admin(t, http.MethodGet, "/admin/projects/"+g.project+"/pins", nil, &rows)
	for _, r := range rows {
		if strings.Contains(string(marshal(r)), `"`+what+`"`) {
			return
		}
	}
	t.Fatalf("nobody was told that %s is weak: %v", what, rows)
}

// refuses makes tries that all get the value where any command does, and returns
// what comes of them where only some were approved.
func (g *guarded) refuses(t *testing.T, approved [][]string, tries ...try) outcome {
	t.Helper()
	g.mode(t, "any")
	for _, y := range tries {
		if r := g.carry(t, y); !g.has(r) {
			t.Fatalf("%s: it comes to nothing anyway: %+v", y.name, r)
		}
	}
	g.mode(t, "enforce")
	for _, command := range approved {
		g.approve(t, command...)
	}
	for _, y := range tries {
		r := g.carry(t, y)
		if g.has(r) || said(r, "evil") {
			t.Logf("%s: %+v", y.name, r)
			return open
		}
		if r.status != 1 || !strings.Contains(r.stderr, "this command was not approved: ") {
			t.Fatalf("%s: it failed otherwise: %+v", y.name, r)
		}
	}
	for _, command := range approved {
		g.still(t, command...)
	}
	return stopped
}
