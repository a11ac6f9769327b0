package redteam

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"
)

func (h *host) freeze(t *testing.T, project string) {
	t.Helper()
	h.Admin(t, http.MethodPost, "/admin/freeze", object{"kind": "project", "name": project}, nil)
}

func fetchAfterFreeze(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	h.freeze(t, project)
	return unless(h.gets(t, h.alice, project, variable) == value, stopped)
}

// A prisoner is a command that tells its value when it is asked to.
type prisoner struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

// imprison starts one, and returns when it runs.
func (h *host) imprison(t *testing.T, project, variable string) *prisoner {
	t.Helper()
	p := &prisoner{cmd: h.launcher(t, h.alice, project, variable, "sh", "-c", `echo up; read line; printenv "$1" | tr a-zA-Z n-za-mN-ZA-M`, "sh", variable)}
	var errIn, errOut error
	p.in, errIn = p.cmd.StdinPipe()
	p.out, errOut = p.cmd.StdoutPipe()
	if err := errors.Join(errIn, errOut, p.cmd.Start()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.in.Close()
		p.cmd.Wait()
	})
	if _, err := io.ReadFull(p.out, make([]byte, len("up\n"))); err != nil {
		t.Fatal(err)
	}
	return p
}

// asked returns what it tells, "" if it has ended.
func (p *prisoner) asked() string {
	fmt.Fprintln(p.in)
	text, _ := io.ReadAll(p.out)
	return untold(string(text))
}

func runAfterFreeze(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	p := h.imprison(t, project, variable)
	h.freeze(t, project)
	if h.gets(t, h.alice, project, variable) == value {
		t.Fatal("the freeze is none")
	}
	return unless(p.asked() == value, stopped)
}

func runAfterFreezeEnd(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	if out, err := h.adminCommand("project", "settings", project, "--on-freeze", "end"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	// A daemon hears of it with its next token.
	h.restart(t)
	h.gets(t, h.alice, project, variable)
	p := h.imprison(t, project, variable)
	h.freeze(t, project)
	text, err := io.ReadAll(p.out) // until it ends, and nobody has asked it
	if err != nil {
		t.Fatal(err)
	}
	return unless(untold(string(text)) == value || p.cmd.Wait() == nil, stopped)
}

// adminCommand runs a verb of an administrator.
func (h *host) adminCommand(args ...string) (string, error) {
	return h.site.cortex(append(args, "--url", h.URL)...)
}

// restart stops the daemon in order, and starts it again.
func (h *host) restart(t *testing.T) {
	t.Helper()
	if err := h.daemon.Stop(); err != nil {
		t.Fatal(err)
	}
	h.start(t)
}
