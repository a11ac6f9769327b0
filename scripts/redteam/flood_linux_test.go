package redteam

import (
	"fmt"
	"strings"
	"testing"
)

// What is tried to keep others from the daemon by much of something.
var floodMoves = map[string]hostMove{
	"made-up-projects": madeUpProjects,
}

// More projects than a daemon keeps in mind, none of which has anything.
func madeUpProjects(t *testing.T, h *host) outcome {
	defer h.again(t)
	const many = 4200
	stem := named("made-up")
	// It ends as soon as it has the project's token: no program is to be started.
	request := fmt.Sprintf(`{"cmd":"run","v":1,"fds":["cwd"],"program":"true","project":"%s-%%d","names":["NO_SUCH"],"no_mask":true}`+"\n", stem)
	cmd := h.tool(t, h.rival(), "ask", h.sock, fmt.Sprint(many))
	cmd.Stdin = strings.NewReader(request)
	r := finish(t, cmd)
	answers := strings.Split(strings.TrimSpace(r.stdout), "\n")
	t.Logf("%d answers, the last is %s; %s", len(answers), answers[len(answers)-1], r.stderr)
	if r.status != 0 || len(answers) != many {
		t.Fatalf("not all was asked: %d, %s", r.status, r.stderr)
	}
	if !strings.Contains(answers[0], "must_mask") {
		t.Fatalf("the daemon got no token for it: %s", answers[0])
	}
	if got := h.gets(t, h.alice, h.project, h.variable); got != h.value {
		return open
	}
	if !h.newProject(t) {
		return limited
	}
	return stopped
}

// newProject reports whether alice can begin with a new project.
func (h *host) newProject(t *testing.T) bool {
	t.Helper()
	variable, _, value := h.secret(t)
	project := named("app")
	r := h.run(t, h.alice, project, variable, told(variable)...)
	if got := untold(r.stdout); got != value {
		t.Logf("%+v", r)
		return false
	}
	return true
}
