package install

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// supervised puts a systemctl in place of the system's, which writes down what it
// is told.
func supervised(t *testing.T, script string) (calls func() string) {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\necho \"$*\" >> "+log+"\n"+script+"\n"), 0o755)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	return func() string {
		text, _ := os.ReadFile(log)
		os.Remove(log)
		return strings.ReplaceAll(string(text), "\n", "; ")
	}
}

func personal(t *testing.T, program string, environment ...string) *Install {
	t.Helper()
	i, err := Personal(program, environment)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func TestPersonalUnit(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", "/home/alice/.config")
	i := personal(t, "/opt/50% \"off\"/cortex", "CORTEX_HOME=/home/alice/$state", "CORTEX_DAEMON_SOCK=/run/user/1000/a b")
	if len(i.Files) != 1 || i.Files[0].Path != "/home/alice/.config/systemd/user/cortex-daemon.service" {
		t.Fatal(i.Files)
	}
	golden(t, i.Files[0])
	verify(t, "--user", personal(t, executable(t), "CORTEX_HOME=/home/al ice/$state").Files)
}

func golden(t *testing.T, f File) {
	t.Helper()
	path := filepath.Join("testdata", filepath.Base(filepath.Dir(f.Path)), filepath.Base(f.Path))
	if *update {
		os.MkdirAll(filepath.Dir(path), 0o755)
		os.WriteFile(path, []byte(f.Content), 0o644)
	}
	if want, err := os.ReadFile(path); err != nil || string(want) != f.Content {
		t.Errorf("%s: %v, or is not\n%s", path, err, f.Content)
	}
}

func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// verify has systemd read the units, whose program must be there.
func verify(t *testing.T, whose string, files []File) {
	t.Helper()
	dir := t.TempDir()
	args := []string{"verify", whose, "--man=no"}
	for _, f := range files {
		path := filepath.Join(dir, filepath.Base(f.Path))
		os.WriteFile(path, []byte(f.Content), 0o644)
		args = append(args, path)
	}
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+dir)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

func TestApplyAndRemove(t *testing.T) {
	calls := supervised(t, "echo running")
	i := personal(t, "/usr/local/bin/cortex")
	path := i.Files[0].Path
	begin := "--user is-system-running; --user daemon-reload; --user enable cortex-daemon.service; "
	apply := func(i *Install, force bool, state, want string) {
		t.Helper()
		if got, err := i.Apply(t.Context(), force); err != nil || got[0] != (Change{path, state}) {
			t.Errorf("%v, %v", got, err)
		}
		if got := calls(); got != begin+want {
			t.Error(got)
		}
		if info, err := os.Stat(path); err != nil || info.Mode() != 0o644 {
			t.Error(info.Mode(), err)
		}
	}
	apply(i, false, Written, "--user stop cortex-daemon.service; --user start cortex-daemon.service; ")
	apply(i, false, Unchanged, "--user start cortex-daemon.service; ")
	apply(personal(t, "/opt/cortex"), false, Written, "--user stop cortex-daemon.service; --user start cortex-daemon.service; ")

	text, _ := os.ReadFile(path)
	os.WriteFile(path, append([]byte("# mine\n"), text...), 0o644)
	if _, err := i.Apply(t.Context(), false); !errors.Is(err, ErrEdited) {
		t.Error(err)
	}
	if _, err := i.Remove(t.Context(), false); !errors.Is(err, ErrEdited) {
		t.Error(err)
	}
	if now, _ := os.ReadFile(path); calls() != "" || !strings.HasPrefix(string(now), "# mine\n") {
		t.Error("an edited file was touched")
	}
	apply(i, true, Written, "--user stop cortex-daemon.service; --user start cortex-daemon.service; ")

	if got, err := i.Remove(t.Context(), false); err != nil || got[0] != (Change{path, Removed}) {
		t.Error(got, err)
	}
	if got := calls(); got != "--user is-system-running; --user disable --now cortex-daemon.service; --user daemon-reload; " {
		t.Error(got)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Error(left, err)
	}
	if got, err := i.Remove(t.Context(), false); err != nil || got[0] != (Change{path, Absent}) || calls() != "" {
		t.Error(got, err)
	}
	// One that was masked leads to /dev/null.
	os.Symlink("/dev/null", path)
	if _, err := i.Apply(t.Context(), true); err == nil || !strings.Contains(err.Error(), "not a plain file") {
		t.Error(err)
	}
}

func TestWithoutManager(t *testing.T) {
	for _, script := range []string{"echo offline; exit 1", "echo Failed to connect to bus >&2; exit 1"} {
		supervised(t, script)
		i := personal(t, "/usr/local/bin/cortex")
		if _, err := i.Apply(t.Context(), false); !errors.Is(err, ErrNoManager) {
			t.Error(err)
		}
		if _, err := os.Stat(i.Files[0].Path); err == nil {
			t.Error("a file was written all the same")
		}
	}
	// Something else has failed there, which is no reason.
	supervised(t, `[ "$2" != is-system-running ] || { echo degraded; exit 1; }`)
	if _, err := personal(t, "/usr/local/bin/cortex").Apply(t.Context(), false); err != nil {
		t.Error(err)
	}
	supervised(t, `[ "$2" != start ] || { echo Job failed. >&2; echo more >&2; exit 1; }; echo running`)
	if _, err := personal(t, "/usr/local/bin/cortex").Apply(t.Context(), false); err == nil || err.Error() != "systemctl --user start cortex-daemon.service: exit status 1: Job failed." {
		t.Error(err)
	}
}

func TestIsolatedUnits(t *testing.T) {
	users := Users{Daemon: "cortex-daemon", Run: "cortex-run", Group: "cortex", Runs: 8}
	i, err := Isolated("/usr/local/bin/cortex", users)
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"sysusers.d/cortex.conf", "systemd/system/cortex-spawner@.socket", "systemd/system/cortex-spawner@.service", "systemd/system/cortex-daemon.service"}
	for n, f := range i.Files {
		if f.Path != "/etc/"+paths[n] {
			t.Error(f.Path)
		}
		f.Path = "isolated/" + filepath.Base(f.Path)
		golden(t, f)
	}
	// systemd asks for users that are there, and has root.
	if i, err = Isolated(executable(t), Users{Daemon: "bin", Run: "daemon", Group: "games", Runs: 2}); err != nil {
		t.Fatal(err)
	}
	verify(t, "--system", i.Files[1:])
	exposure(t, i.Files[3], 20)
}

// exposure has systemd rate a unit's sandbox, in tenths: lower is better.
func exposure(t *testing.T, f File, threshold int) {
	t.Helper()
	path := filepath.Join(t.TempDir(), filepath.Base(f.Path))
	os.WriteFile(path, []byte(f.Content), 0o644)
	cmd := exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", fmt.Sprint("--threshold=", threshold), path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUsers(t *testing.T) {
	for _, u := range []Users{
		{"cortex", "cortex", "agents", 1},
		{"root", "cortex-run", "agents", 1},
		{"cortex", "root", "agents", 1},
		{"cortex", "cortex-run", "cortex-run", 1},
		{"cortex", "cortex-run", "", 1},
		{"cortex", "a\nExecStart=/bin/sh", "agents", 1},
		{"-x", "cortex-run", "agents", 1},
		{"cortex-run-1", "cortex-run", "agents", 1},
		{"cortex", "cortex-run", "cortex-run-2", 1},
		{"cortex", "cortex-run", "agents", 0},
		{"cortex", "cortex-run", "agents", MaxRuns + 1},
		{"cortex", "cortex-run", "0day", 1},
		{"cortex", "Cortex", "agents", 1},
		{"cortex", "cortex-run", strings.Repeat("a", 32), 1},
	} {
		if _, err := Isolated("/usr/local/bin/cortex", u); err == nil {
			t.Errorf("took %+v", u)
		}
	}
}
