package attack

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// A search that has not seen all has stopped nothing.
func TestVerdict(t *testing.T) {
	for _, row := range []struct {
		s    search
		want Outcome
		text string
	}{
		{search{controls: []string{"c"}}, Stopped, "0 files"},
		{search{controls: []string{"d"}}, "", "is not found there"},
		{search{controls: []string{"c"}, late: true}, "", "left out"},
		{search{controls: []string{"c"}, closed: 2}, "", "2 more are closed to this user"},
		{search{canaries: []string{"f"}, late: true, closed: 1}, Open, "it is in f"},
	} {
		f, err := row.s.verdict("c")
		if f.outcome != row.want || errors.Is(err, errUntried) != (row.want == "") {
			t.Errorf("%+v: %+v, %v", row, f, err)
		}
		text := f.evidence
		if err != nil {
			text = err.Error()
		}
		if !strings.Contains(text, row.text) {
			t.Errorf("%+v: %s", row, text)
		}
	}
}

// Only what is not dumpable is said to be so.
func TestBesides(t *testing.T) {
	need.Root(t, "be somebody else as well")
	dir, err := os.MkdirTemp("", "besides-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	text, err := os.ReadFile("/bin/sleep")
	if err = errors.Join(err, os.Chmod(dir, 0o711)); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]bool{0o755: false, 0o711: true} {
		exe := filepath.Join(dir, "sleep"+mode.String())
		if err := errors.Join(os.WriteFile(exe, text, 0o600), os.Chmod(exe, mode)); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(exe, "1000")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if got := besides(cmd.Process.Pid); (got != "") != want {
			t.Errorf("%v: %q", mode, got)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
}
