package redteam

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What is tried to keep others from the daemon by much of something.
var floodMoves = map[string]hostMove{
	"made-up-projects":     madeUpProjects,
	"queue-flood":          queueFlood,
	"long-requests":        longRequests,
	"waiting-terminal":     waitingTerminal,
	"clinging-descriptors": clingingDescriptors,
}

// More projects than a daemon keeps in mind, none of which has anything.
func madeUpProjects(t *testing.T, h *host) outcome {
	defer h.again(t)
	// It ends as soon as it has the project's token: no program is to be started.
	answers := h.asksOfMadeUp(t, `{"cmd":"run","v":1,"fds":["cwd"],"program":"true","project":"%s-%%d","names":["NO_SUCH"],"no_mask":true}`)
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

// asksOfMadeUp has the rival ask a daemon of more projects than it keeps in mind, and returns
// the answers. The request has a place for the name that they begin with.
func (h *host) asksOfMadeUp(t *testing.T, request string) []string {
	t.Helper()
	const many = 4200
	cmd := h.tool(t, h.rival(), "ask", h.sock, fmt.Sprint(many))
	cmd.Stdin = strings.NewReader(fmt.Sprintf(request+"\n", named("made-up")))
	r := finish(t, cmd)
	answers := strings.Split(strings.TrimSpace(r.stdout), "\n")
	t.Logf("%d answers, the last is %s; %s", len(answers), answers[len(answers)-1], r.stderr)
	if r.status != 0 || len(answers) != many {
		t.Fatalf("not all was asked: %d, %s", r.status, r.stderr)
	}
	return answers
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

// Connections end, and their descriptors do not close.
func clingingDescriptors(t *testing.T, h *host) outcome {
	h.limited(t, "-n 2048")
	defer h.again(t)
	cmd := h.tool(t, h.rival(), "cling", h.sock, "100")
	in, out := pipes(t, cmd)
	line, err := bufio.NewReader(out).ReadString('\n')
	t.Logf("%s%v; %d descriptors of the daemon's are open", line, err, descriptors(h.daemon.Cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	got := h.getsSoon(t)
	in.Close()
	cmd.Wait()
	return unless(got != h.value, stopped)
}

// getsSoon returns what alice's command prints, with further variables, "" if it takes too
// long.
func (h *host) getsSoon(t *testing.T, env ...string) string {
	t.Helper()
	cmd := h.launcher(t, h.alice, h.project, h.variable, told(h.variable)...)
	cmd.Env = append(cmd.Env, env...)
	return h.soon(t, cmd, func() string { return "" })
}

// soon returns what a command prints, "" if it takes too long, after it was done what it
// may say that it waits for.
func (h *host) soon(t *testing.T, cmd *exec.Cmd, do func() string) string {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout = &out
	stderr, err := cmd.StderrPipe()
	if err := errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(patience/6, func() { cmd.Process.Kill() })
	defer late.Stop()
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		t.Log(lines.Text())
		if strings.Contains(lines.Text(), "waiting") {
			do()
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Log(err)
	}
	return untold(out.String())
}

// limited starts the daemon anew, with a limit as the shell's ulimit has it.
func (h *host) limited(t *testing.T, limit string) {
	t.Helper()
	h.program = filepath.Join(open777(t), "cortex-daemon")
	script := fmt.Sprintf("#!/bin/sh\nulimit %s; exec %s \"$@\"\n", limit, filepath.Join(bin, "cortex-daemon"))
	if err := os.WriteFile(h.program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	h.again(t)
	h.program = ""
}

// descriptors is how many a process has open.
func descriptors(pid int) int {
	list, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(list)
}

// More requests wait for a place than may, all of the rival's, when alice asks; then a
// place of hers is free.
func queueFlood(t *testing.T, h *host) outcome {
	h.daemon.Kill()
	h.start(t, "--max-connections", "4")
	defer h.again(t)
	mine, theirs := 1, 3
	if h.in == isolated {
		mine, theirs = 2, 2 // which is as many as one user gets
	}
	var p *prisoner
	for range mine {
		p = h.imprison(t, h.project, h.variable)
	}
	_, free := h.take(t, theirs)
	defer free()
	request := fmt.Sprintf(`{"cmd":"run","v":1,"fds":["cwd"],"queue":true,"program":"sleep","args":["1000"],"project":%q,"names":[%q]}`, h.project, h.variable)
	flood := h.tool(t, h.rival(), "park", h.sock, "100", request)
	in, out := pipes(t, flood)
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "parked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	defer flood.Wait()
	defer in.Close()
	asking := h.launcher(t, h.alice, h.project, h.variable, told(h.variable)...)
	return unless(h.soon(t, asking, p.asked) != h.value, stopped)
}

// Requests have the places of a daemon and never take their terminals, for which it waits.
func waitingTerminal(t *testing.T, h *host) outcome {
	h.daemon.Kill()
	h.start(t, "--max-connections", "4")
	defer h.again(t)
	request := fmt.Sprintf(`{"cmd":"run","v":1,"fds":["cwd","terminal","relay"],"queue":true,"program":"true","project":%q,"names":[%q]}`, h.project, h.variable)
	cmd := h.tool(t, h.rival(), "park", h.sock, "4", request)
	in, out := pipes(t, cmd)
	defer cmd.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "parked\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if h.getsSoon(t) != h.value {
		return open
	}
	return limited
}

// Requests that are as long as they may be take the places of these.
func longRequests(t *testing.T, h *host) outcome {
	before := peak(t, h.daemon.Cmd.Process.Pid)
	cmd := h.tool(t, h.rival(), "drip", h.sock, "60") // fewer than may wait
	in, out := pipes(t, cmd)
	defer cmd.Wait()
	defer in.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "dripping\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if h.getsSoon(t) != h.value {
		return open
	}
	began := time.Now()
	long := h.getsSoon(t, "LONG="+strings.Repeat("x", 100_000))
	more := peak(t, h.daemon.Cmd.Process.Pid) - before
	t.Logf("it took %v, and %d KiB", time.Since(began), more)
	switch {
	case more > 200<<10:
		return open
	case long != h.value || time.Since(began) > 5*time.Second:
		return limited
	}
	return stopped
}
