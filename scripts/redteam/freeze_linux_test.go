package redteam

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"testing"
	"time"
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
	h.onFreeze(t, project, "end")
	p := h.imprison(t, project, variable)
	h.freeze(t, project)
	return p.cutOff(value)
}

// The project says so only once the command runs, and nothing of it asks the server then.
func freezeLateSetting(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	p := h.imprison(t, project, variable)
	h.onFreeze(t, project, "end")
	h.freeze(t, project)
	return p.cutOff(value)
}

// The project has no token any more, and the daemon is asked for more projects than it
// keeps in mind.
func freezeForgotten(t *testing.T, h *host) outcome {
	defer h.again(t)
	project, variable, _, value := h.owned(t)
	h.onFreeze(t, project, "end")
	p := h.imprison(t, project, variable)
	h.revoke(t, project)
	h.asksOfMadeUp(t, `{"cmd":"redact","v":1,"fds":["cwd"],"project":"%s-%%d"}`)
	h.freeze(t, project)
	return p.cutOff(value)
}

// onFreeze sets what becomes of a project's commands at a freeze.
func (h *host) onFreeze(t *testing.T, project, rule string) {
	t.Helper()
	if out, err := h.adminCommand("project", "settings", project, "--on-freeze", rule); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// revoke ends a project's tokens.
func (h *host) revoke(t *testing.T, project string) {
	t.Helper()
	if out, err := h.adminCommand("project", "revoke", project); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

// cutOff returns what became of a prisoner that nobody asks: after a while its input ends,
// and it tells.
func (p *prisoner) cutOff(value string) outcome {
	late := time.AfterFunc(patience/6, func() { p.in.Close() })
	defer late.Stop()
	text, _ := io.ReadAll(p.out)
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
