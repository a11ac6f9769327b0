package redteam

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A value in a file, another as standard input; then everything is killed.
func handedOver(t *testing.T, h *host) outcome {
	other, _, value := h.secret(t)
	run := func(script string) *exec.Cmd {
		cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", script)
		cmd.Args = slices.Insert(cmd.Args, 2, "--file", h.variable+"=IN_FILE", "--stdin", other)
		return cmd
	}
	if r := h.approved(t, func() *exec.Cmd { return run(`cat "$IN_FILE" - | tr a-zA-Z n-za-mN-ZA-M`) }); untold(r.stdout) != h.value+value {
		t.Fatalf("%+v", r)
	}
	return h.leftBy(t, run(`cat "$IN_FILE" - > /dev/null; echo up; exec sleep 1000`), func(*exec.Cmd) { h.killAll(t) }, h.value, value)
}

// A value in the environment; then the command, its monitor and its launcher are killed.
func filesLeftBehind(t *testing.T, h *host) outcome {
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", "echo up; exec sleep 1000")
	return h.leftBy(t, cmd, func(cmd *exec.Cmd) {
		command := h.holding(t)
		for _, pid := range []int{parentOf(command), command, cmd.Process.Pid} {
			unix.Kill(pid, unix.SIGKILL)
		}
	}, h.value)
}

// holding returns the process that has the value in its environment.
func (h *host) holding(t *testing.T) int {
	t.Helper()
	for _, pid := range processes() {
		if environ, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); bytes.Contains(environ, []byte(h.value)) {
			return pid
		}
	}
	t.Fatal("no process has the value")
	return 0
}

// begun starts a command, and waits until it has printed something.
func begun(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
}

// leftBy starts a command, kills it in some way, and returns whether one of some values
// is in a file that has changed.
func (h *host) leftBy(t *testing.T, cmd *exec.Cmd, kill func(*exec.Cmd), values ...string) outcome {
	t.Helper()
	began := time.Now().Add(-time.Second)
	begun(t, cmd)
	kill(cmd)
	cmd.Wait()
	control := filepath.Join(t.TempDir(), "control")
	if err := os.WriteFile(control, []byte(values[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	left := changedFiles(began, values...)
	if !slices.Contains(left, control) {
		t.Fatalf("what is written is not found: %q", left)
	}
	if len(left) > 1 {
		t.Logf("found in %q", left)
		return open
	}
	return stopped
}
