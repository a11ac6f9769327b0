package redteam

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// What is tried with processes and files of the host. Those that end the daemon
// start another one.
var processMoves = map[string]hostMove{
	"monitor-and-daemon-killed": bothKilled,
	"run-for-another":           runForAnother,
	"daemon-stacks":             daemonStacks,
	"daemon-killed":             daemonKilled,
	"session-pin":               sessionPin,
	"session-deleted":           sessionDeleted,
	"access-token":              accessToken,
	"names-file":                namesFile,
	"socket-replaced":           socketReplaced,
	"key-file":                  keyFile,
	"spawner-privileges":        spawnerPrivileges,
	"command-ends-other":        endsOther,
	"command-leaves-file":       leavesFile,
	"swapped-key":               swappedKey,
	"swapped-value":             swappedValue,
	"host-root":                 hostRoot,
}

// kill has a user send a signal to a process, and reports whether that went.
func (h *host) kill(t *testing.T, who somebody, signal string, pid int) bool {
	t.Helper()
	r := finish(t, h.as(t.Context(), who, "kill", "-"+signal, strconv.Itoa(pid)))
	if r.status != 0 {
		t.Logf("%s: %s", who.name, r.stderr)
	}
	return r.status == 0
}

// again starts a daemon in the place of one that has ended, or is to.
func (h *host) again(t *testing.T) {
	t.Helper()
	h.daemon.Kill()
	h.start(t)
}

// A process that has left the session kills what watches over it, and the daemon. It
// stops both before, so that none of them sees the other one end.
func bothKilled(t *testing.T, h *host) outcome {
	dir := open777(t)
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", `
		setsid sh -c 'echo $$ > "$3/pid"; kill -STOP "$1" "$2"; kill -9 "$1" "$2"; echo done > "$3/done"; exec sleep 1000' sh "$1" $PPID "$2" & exec sleep 1000`,
		"sh", strconv.Itoa(h.daemon.Cmd.Process.Pid), dir)
	cmd.Run()
	pid := pidOf(t, string(read(t, filepath.Join(dir, "pid"))))
	defer h.again(t)
	if h.in == isolated {
		return unless(lives(pid), stopped)
	}
	<-h.daemon.Ended
	settled(t, filepath.Join(dir, "pid")) // for whatever would kill it
	environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	defer unix.Kill(pid, unix.SIGKILL)
	return unless(lives(pid) && bytes.Contains(environ, []byte(h.value)), stopped)
}

// lives reports whether a process runs, and is not only yet to be collected.
func lives(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return err == nil && !bytes.Contains(status, []byte("State:\tZ"))
}

// Another one who may use the daemon: another process of alice, or another member of
// the group.
func runForAnother(t *testing.T, h *host) outcome {
	who := h.alice
	if h.in == isolated {
		who = h.grace
	}
	return unless(h.gets(t, who, h.project, h.variable) == h.value, stopped)
}

func daemonStacks(t *testing.T, h *host) outcome {
	defer h.again(t)
	pid := h.daemon.Cmd.Process.Pid
	if !h.kill(t, h.alice, "QUIT", pid) {
		return unless(h.kill(t, h.alice, "TRAP", pid), stopped)
	}
	<-h.daemon.Ended
	if strings.Contains(h.daemon.Log(), "goroutine ") {
		t.Log("SIGQUIT shows the stacks")
		return open
	}
	h.start(t)
	h.kill(t, h.alice, "TRAP", h.daemon.Cmd.Process.Pid)
	<-h.daemon.Ended
	log := h.daemon.Log()
	if !strings.Contains(log, "goroutine ") {
		return stopped
	}
	return unless(strings.Contains(log, h.value), limited)
}

func daemonKilled(t *testing.T, h *host) outcome {
	defer h.again(t)
	if !h.kill(t, h.alice, "KILL", h.daemon.Cmd.Process.Pid) {
		return stopped
	}
	<-h.daemon.Ended
	return open
}

func (h *host) session() string { return filepath.Join(h.state, "daemon-session.json") }

// The login is made one at another server.
func sessionPin(t *testing.T, h *host) outcome {
	m := newMeddler(t, h.site) // it passes on what it hears
	whole := read(t, h.session())
	changed := regexp.MustCompile(`"server_url": "[^"]*"`).ReplaceAll(whole, fmt.Appendf(nil, `"server_url": "http://%s"`, m.addr()))
	if bytes.Equal(whole, changed) {
		t.Fatalf("there is no URL in %s", whole)
	}
	write := h.as(t.Context(), h.alice, "tee", h.session())
	write.Stdin = bytes.NewReader(changed)
	if r := finish(t, write); r.status != 0 {
		t.Log(r.stderr)
		return stopped
	}
	defer func() {
		if err := os.WriteFile(h.session(), whole, 0o600); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
		if h.gets(t, h.alice, h.project, h.variable) != h.value {
			t.Fatal("nothing is delivered afterwards either")
		}
	}()
	h.restart(t)
	got := h.gets(t, h.alice, h.project, h.variable)
	return unless(got == h.value || len(m.all()) > 0, stopped)
}

func sessionDeleted(t *testing.T, h *host) outcome {
	whole := read(t, h.session())
	r := finish(t, h.as(t.Context(), h.alice, "rm", "-f", h.session()))
	if _, err := os.Stat(h.session()); err == nil {
		t.Log(r.stderr)
		return stopped
	}
	if err := errors.Join(os.WriteFile(h.session(), whole, 0o600), os.Chown(h.session(), h.own.uid, h.own.uid)); err != nil {
		t.Fatal(err)
	}
	return open
}

// Whoever has the agent's key asks for a token by it.
func accessToken(t *testing.T, h *host) outcome {
	r := finish(t, h.tool(t, h.alice, "assert", h.state, h.agent, h.URL))
	t.Log(r.stdout, r.stderr)
	return unless(r.status == 0 && strings.Contains(r.stdout, "a token of"), stopped)
}

// The daemon is asked for the names in a file, in the form of older launchers.
func namesFile(t *testing.T, h *host) outcome {
	more, _, value := h.secret(t)
	ask := func(file string) string {
		cmd := h.tool(t, h.alice, "say", h.sock)
		cmd.Stdin = strings.NewReader(fmt.Sprintf(`{"cmd":"run","program":"true","project":%q,"env_file":%q}`, h.project, file) + "\n")
		r := finish(t, cmd)
		t.Logf("%s: %s%s", file, r.stdout, r.stderr)
		return r.stdout
	}
	foreign := filepath.Join(h.home(h.bob), "names")
	if err := errors.Join(os.WriteFile(foreign, []byte(more+"=\n"), 0o600), os.Chown(foreign, h.bob.uid, h.bob.uid)); err != nil {
		t.Fatal(err)
	}
	answer := ask(foreign)
	if strings.Contains(answer, "reads no files of yours") {
		return stopped
	}
	if strings.Contains(answer, more) || strings.Contains(answer, value) || strings.Contains(answer, e2e.GrantID.FindString(answer)+"x") {
		return open
	}
	if !strings.Contains(answer, "permission denied") {
		t.Fatalf("it did not try: %s", answer)
	}
	if answer = ask(h.names(t, h.alice, h.variable)); !strings.Contains(answer, `"ok":true`) {
		return stopped
	}
	return limited
}

// Another user renames the socket, and links one of his own to its place.
func socketReplaced(t *testing.T, h *host) outcome {
	own := filepath.Join(h.home(h.bob), "own")
	if err := os.MkdirAll(own, 0o777); err != nil {
		t.Fatal(err)
	}
	os.Chown(own, h.bob.uid, h.bob.uid)
	mine := filepath.Join(own, "s")
	try := func(sock string) bool {
		script := `ln -s /nowhere "$1.new" && mv "$1.new" "$1"`
		return finish(t, h.as(t.Context(), h.bob, "sh", "-c", script, "sh", sock)).status == 0
	}
	if !try(mine) {
		t.Fatal("he cannot do it in his own directory either")
	}
	return unless(try(h.sock) || h.gets(t, h.alice, h.project, h.variable) != h.value, stopped)
}

func keyFile(t *testing.T, h *host) outcome {
	others := []somebody{h.bob}
	if h.in == isolated {
		others = append(others, h.grace)
	}
	cat := func(who somebody, file string) bool {
		return finish(t, h.as(t.Context(), who, "cat", file)).status == 0
	}
	for _, file := range []string{h.session(), filepath.Join(h.state, "agent-"+h.agent+".key")} {
		if !cat(h.own, file) {
			t.Fatalf("nobody can read %s", file)
		}
		for _, who := range others {
			if cat(who, file) {
				t.Logf("%s reads %s", who.name, file)
				return open
			}
		}
		// One that others can read is refused.
		if err := os.Chmod(file, 0o644); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
		got := h.gets(t, h.alice, h.project, h.variable)
		if err := os.Chmod(file, 0o600); err != nil {
			t.Fatal(err)
		}
		h.restart(t)
		if got == h.value {
			t.Logf("%s is used, which others can read", file)
			return open
		}
	}
	return stopped
}

// tool returns a call of this very program by a user, to do what no other can: see
// toolMain.
func (h *host) tool(t *testing.T, who somebody, args ...string) *exec.Cmd {
	t.Helper()
	return h.as(t.Context(), who, tool(), args...)
}
