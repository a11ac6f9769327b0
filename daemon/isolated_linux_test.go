package daemon_test

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/server/api"
)

// other is who programs are where they are not the caller's own, and nobody is
// elsewhere: their spawner kills what else runs as them.
const other = 64131

// alone keeps them to these tests.
var alone = sync.OnceValue(func() error { return e2e.Alone("daemon") })

// spawner runs a spawner of another user, and returns its socket.
func (h *host) spawner() string {
	h.t.Helper()
	need.Root(h.t, "be somebody else as well")
	if err := alone(); err != nil {
		h.t.Fatal(err)
	}
	sock, exe := filepath.Join(shortDir(h.t), "s"), filepath.Join(shortDir(h.t), "test")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		h.t.Fatal(err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		h.t.Fatal(err)
	}
	defer f.Close()
	text, err := os.ReadFile("/proc/self/exe")
	if err != nil || errors.Join(os.Chmod(filepath.Dir(exe), 0o755), os.WriteFile(exe, text, 0o755)) != nil {
		h.t.Fatal("no program for another user", err)
	}
	// The socket is for the process with that id, and a spawner is for one program, as
	// systemd has it.
	cmd := &exec.Cmd{
		Path: "/bin/bash", Args: []string{"bash", "-c", `while :; do (export LISTEN_PID=$BASHPID; exec -a cortex-spawner "$0" root); done`, exe},
		Env: []string{"LISTEN_FDS=1", "HOME=" + cmp.Or(h.home, "/nonexistent"), "USER=nobody"}, Stderr: h.log, ExtraFiles: []*os.File{f}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: other, Gid: other}},
	}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	return sock
}

// openWork lets other users into the directory where commands are typed.
func (h *host) openWork() {
	for dir := h.work; dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
}

// startIsolated starts a daemon whose programs are another user's, one at a time.
func (h *host) startIsolated() {
	h.t.Helper()
	cfg := h.config()
	cfg.Spawners = []string{h.spawner()}
	h.startWith(cfg)
}

// Commands that are another user's are pinned as the caller's own are: it is that user
// who looks at the files again, and who may be the one to change them.
func TestPinnedIsolated(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.openWork()
	h.write("deploy.sh", "id -u; echo $OPENAI_API_KEY $BASH_ENV\n")
	h.write("prog", "#!/bin/sh\nexec sh deploy.sh\n")
	readable := func() { h.t.Helper(); os.Chmod(filepath.Join(h.work, "deploy.sh"), 0o644) }
	readable()
	os.Chmod(filepath.Join(h.work, "prog"), 0o755)
	h.startIsolated()
	for _, command := range [][]string{{"sh", "deploy.sh"}, {"./prog"}} {
		cmd := h.launcher(append([]string{"--"}, command...)...)
		h.finish(cmd).want(1, "", notApproved)
		h.approve()
		cmd = h.launcher(append([]string{"--"}, command...)...)
		cmd.Env = append(cmd.Env, "BASH_ENV=/nonexistent")
		if r := h.finish(cmd); r.stdout != "64131\n"+marker+"\n" || r.status != 0 {
			t.Errorf("%+v", r)
		}
	}
	// Their home is theirs alone, and empty, or nothing runs.
	if weak := h.vault.told[0].Weak; slices.Contains(weak, "home") {
		t.Errorf("their home is among what is weak: %q", weak)
	}
	h.write("deploy.sh", "id\n")
	readable()
	h.run("sh", "deploy.sh").want(1, "", notApproved+"deploy.sh has changed\n")

	// What only one of both can see is nothing that was approved.
	h.approve()
	os.Chmod(filepath.Join(h.work, "deploy.sh"), 0o600)
	h.run("sh", "deploy.sh").want(2, "", "Permission denied")
	h.write("closed", "")
	os.Mkdir(filepath.Join(h.work, "dir"), 0o700)
	os.Rename(filepath.Join(h.work, "closed"), filepath.Join(h.work, "dir/closed"))
	h.run("ls", "dir/closed").want(1, "", notApproved)
	h.approve()
	h.run("ls", "dir/closed").want(126, "", `ls: the argument "dir/closed" names another file`)
}

// In a home directory that is not empty, or not its user's alone, nothing runs that is pinned.
func TestPinnedIsolatedHome(t *testing.T) {
	need.Root(t, "be somebody else as well")
	h := newPinned(t, api.CommandsEnforce)
	h.openWork()
	h.home = shortDir(t)
	if err := errors.Join(os.Chmod(h.home, 0o700), os.Chown(h.home, other, other)); err != nil {
		t.Fatal(err)
	}
	h.startIsolated()
	h.run("sh", "-c", "echo $HOME").want(1, "", notApproved)
	h.approve()
	h.run("sh", "-c", "echo $HOME").want(0, h.home+"\n", "")
	if err := os.WriteFile(filepath.Join(h.home, ".npmrc"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h.run("sh", "-c", "echo $HOME").want(126, "", "sh: its home directory is not its user's alone, or not empty")
	// Where nobody asks for approved commands it is none of anybody's business.
	h.vault.do(func() { h.vault.commands = "" })
	h.run("true").want(0, "", "")
}

// One caller cannot have all the users that programs can be.
func TestIsolatedShare(t *testing.T) {
	h := newHost(t)
	cfg := h.config()
	cfg.Spawners = []string{h.spawner(), h.spawner()}
	h.startWith(cfg)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	long := h.launcher("--", "sh", "-c", "echo here; cat")
	long.Stdin, long.Stdout = r, in
	if err := long.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	r.Close()
	if n, err := out.Read(make([]byte, 5)); n != 5 || err != nil {
		t.Fatal(n, err)
	}
	h.finish(h.launcher("--json", "--", "true")).want(1, "", "uid 0 runs as many programs as one caller may (1): there are 2 users for the programs of all", `"error_code":"busy"`, "--run-users N")
	w.Close()
	if err := long.Wait(); err != nil {
		t.Fatal(err)
	}
	h.run("true").want(0, "", "")
}

// A program's terminal is its user's, who can open it by its name, and nobody else's.
func TestTerminalIsolated(t *testing.T) {
	h := newHost(t)
	h.openWork()
	h.startIsolated()
	x, cmd := h.at("sh", "-c", `echo by name > $(tty); echo by another > /dev/stdout; stat -c 'of %u' $(tty); stty size; read line < /dev/tty; echo "got $line, $OPENAI_API_KEY"`)
	x.expectLine("by name")
	x.expectLine("by another")
	x.expectLine(fmt.Sprint("of ", other))
	x.expectLine("33 77")
	x.press("text\n")
	x.expect("got text, " + marker)
	h.wantStatus(cmd, 0)
}

// A further descriptor is as good for another user as for its caller, also of a file that
// is closed to that user.
func TestFurtherIsolated(t *testing.T) {
	h := newHost(t)
	h.openWork()
	h.startIsolated()
	h.write("closed", "text\n")
	h.write("written", "")
	os.Chmod(filepath.Join(h.work, "closed"), 0o600)
	r := h.finish(h.shell("-c", `exec cortex-cli run -- sh -c 'id -u; cat <&3; cat closed 2>/dev/null || echo closed; echo $OPENAI_API_KEY >&4' 3<closed 4>written`))
	r.want(0, fmt.Sprint(other, "\ntext\nclosed\n"), "")
	if text, err := os.ReadFile(filepath.Join(h.work, "written")); err != nil || string(text) != marker+"\n" {
		t.Errorf("%q, %v", text, err)
	}
}
