package redteam

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What is tried where a command gets a value as a file, or by a path.
var templateMoves = map[string]hostMove{
	"template-file":          templateFile,
	"template-file-others":   templateFileOthers,
	"template-file-left":     templateFileLeft,
	"template-file-left-all": templateFileLeftAll,
	"argument-path":          argumentPath,
}

// An exposed is a run with a template on a disk, which has a value in it.
type exposed struct {
	cmd         *exec.Cmd
	path, value string
}

// expose starts one, whose command goes on with a script and arguments.
func (h *host) expose(t *testing.T, script string, args ...string) *exposed {
	t.Helper()
	project, variable, _, value := h.owned(t)
	template := named("config")
	h.SecretWith(t, object{"key_path": template, "secret_type": "TEMPLATE_CONFIG", "value": "key = {{" + variable + "}}\n"})
	h.Admin(t, http.MethodPut, "/admin/projects/"+project+"/settings", object{"template_files": "allow"}, nil)
	dir := open777(t)
	run := func(script string, args ...string) *exec.Cmd {
		cmd := h.launcher(t, h.alice, project, variable, append([]string{"sh", "-c", script, "sh"}, args...)...)
		cmd.Args = slices.Insert(cmd.Args, 2, "--template", template+"=CONFIG", "--template-file", "CONFIG=config")
		cmd.Dir = dir
		return cmd
	}
	if r := h.approved(t, func() *exec.Cmd { return run(`tr a-zA-Z n-za-mN-ZA-M < "$CONFIG"`) }); untold(r.stdout) != "key = "+value {
		t.Fatalf("%+v", r)
	}
	e := &exposed{run("echo up; "+script, args...), filepath.Join(dir, "config"), value}
	_, out := pipes(t, e.cmd)
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(read(t, e.path), []byte(value)) {
		t.Fatal("the value is not in the file")
	}
	return e
}

// reads reports whether somebody can read the file.
func (h *host) reads(t *testing.T, who somebody, e *exposed) bool {
	t.Helper()
	return strings.Contains(finish(t, h.as(t.Context(), who, "cat", e.path)).stdout, e.value)
}

// end ends the launcher, and reports whether the file goes then, in some time.
func (e *exposed) end(t *testing.T, within time.Duration) (gone bool) {
	t.Helper()
	e.cmd.Process.Kill()
	e.cmd.Wait()
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Lstat(e.path); err != nil {
			return true
		}
	}
	return false
}

func templateFile(t *testing.T, h *host) outcome {
	e := h.expose(t, "exec sleep 1000")
	defer e.end(t, patience)
	return unless(h.reads(t, h.alice, e), stopped)
}

func templateFileOthers(t *testing.T, h *host) outcome {
	e := h.expose(t, "exec sleep 1000")
	defer e.end(t, patience)
	return unless(h.reads(t, h.bob, e) || h.reads(t, h.grace, e), stopped)
}

// The command, its monitor and its launcher are killed.
func templateFileLeft(t *testing.T, h *host) outcome {
	e := h.expose(t, `echo $$ $PPID > "$1/pids"; exec sleep 1000`, open777(t))
	var command, monitor int
	pids := filepath.Join(e.cmd.Args[len(e.cmd.Args)-1], "pids")
	for end := time.Now().Add(patience); command == 0 || monitor == 0; time.Sleep(time.Millisecond) {
		text, _ := os.ReadFile(pids)
		fmt.Sscan(string(text), &command, &monitor)
		if time.Now().After(end) {
			t.Fatal("the command does not say who it is")
		}
	}
	unix.Kill(monitor, unix.SIGKILL)
	unix.Kill(command, unix.SIGKILL)
	return unless(!e.end(t, patience), stopped)
}

// The command kills its monitor, and what that comes from, at the same moment: the
// daemon, or its spawner.
func templateFileLeftAll(t *testing.T, h *host) outcome {
	e := h.expose(t, `above=$2
		[ -n "$above" ] || above=$(ps -o ppid= -p $PPID)
		setsid sh -c 'kill -STOP $1 $2; kill -9 $1 $2; echo done > "$3/done"; exec sleep 1000' sh $PPID $above "$1" & exec sleep 1000`,
		open777(t), map[install]string{personal: strconv.Itoa(h.daemon.Cmd.Process.Pid)}[h.in])
	done := filepath.Join(e.cmd.Args[len(e.cmd.Args)-2], "done")
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(done); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it kills nobody")
		}
	}
	defer h.killAll(t) // what it has left
	return unless(!e.end(t, 2*time.Second), stopped)
}

// The arguments of a command are to be seen by everybody.
func argumentPath(t *testing.T, h *host) outcome {
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", "echo up; read line", "sh", "--key={{IN_FILE}}")
	cmd.Args = slices.Insert(cmd.Args, 2, "--file", h.variable+"=IN_FILE")
	in, out := pipes(t, cmd)
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		cmd.Wait()
	}()
	seen := func(text string) bool {
		return slices.ContainsFunc(processes(), func(pid int) bool {
			cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			return bytes.Contains(cmdline, []byte(text))
		})
	}
	if !seen("\x00--key=/proc/self/fd/") {
		t.Fatal("not even the path is seen")
	}
	return unless(seen(h.value), stopped)
}
