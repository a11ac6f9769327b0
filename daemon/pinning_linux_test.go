package daemon_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// newPinned returns a host at a vault where a project says something about commands.
func newPinned(t *testing.T, mode string) *host {
	t.Helper()
	h := newHost(t)
	h.vault.commands = mode
	var err error
	if h.work, err = filepath.EvalSymlinks(h.work); err != nil {
		t.Fatal(err)
	}
	return h
}

// approve has the vault approve what was run last.
func (h *host) approve() {
	h.vault.do(func() { h.vault.pins = append(h.vault.pins, pinned.Of(h.vault.told[len(h.vault.told)-1])) })
}

const notApproved = "cortex: project app: this command was not approved: "

func TestPinnedCommands(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.write("deploy.sh", "echo $OPENAI_API_KEY $*\n")
	h.start()
	h.run("sh", "deploy.sh", "now").want(1, "", notApproved+"nothing has been approved yet\npin_id: pin-0\nan administrator approves it with: cortex pin approve app pin-0 --url "+h.vault.server.URL+"\n")
	if c := h.vault.asked[0].Command; !bytes.Equal(c, h.vault.told[0].Encode()) {
		t.Errorf("told %s with discover", c)
	}
	h.vault.wantCalls(1, 1, 1)
	h.approve()
	h.run("sh", "deploy.sh", "now").want(0, marker+" now\n", "pinned: it runs without CORTEX_DAEMON_SOCK, CORTEX_PROJECT, CORTEX_URL")
	h.run("sh", "deploy.sh", "then").want(1, "", notApproved+"argument 2 is not what was approved\npin_id: pin-1\n")
	h.run("sh", "-c", "env").want(1, "", notApproved+"argument 1 is not what was approved\n")
	h.run("cat", "deploy.sh", "now").want(1, "", "cat is not what was approved\n")
	h.write("deploy.sh", "env\n")
	h.run("sh", "deploy.sh", "now").want(1, "", notApproved+"deploy.sh has changed\n")
	h.finish(h.launcher("--json", "--", "true")).want(1, "", `{"event":"not_pinned","project":"app","pin_id":"pin-1","why":"the program /usr/bin/true is not what was approved","error_code":"command_not_pinned","hint":"an administrator approves it with: cortex pin approve app pin-1 --url `+h.vault.server.URL+`","exit_code":1}`)

	// What cannot be run, or looked at, is not asked for.
	calls := h.vault.count("secrets")
	h.run("no-such-program").want(127, "", "cortex: no-such-program: command not found\n")
	h.run("cat", "\xff").want(1, "", "it cannot be said what this command runs: an argument is not UTF-8")
	if n := h.vault.count("secrets"); n != calls {
		t.Errorf("%d requests for what cannot be run", n-calls)
	}
}

// Nothing is asked for twice where nobody wants to know, and when somebody does, from
// one moment to the next, that is heard.
func TestPinnedFromNowOn(t *testing.T) {
	h := newPinned(t, "")
	h.start()
	h.run("true").want(0, "")
	h.vault.do(func() { h.vault.commands = api.CommandsEnforce })
	h.run("true").want(1, "", notApproved+"nothing has been approved yet\n")
	h.vault.wantCalls(1, 1, 3)
	h.approve()
	h.run("true").want(0, "", "it runs without")
	h.run("true").want(0, "")
	h.vault.wantCalls(1, 1, 5)
}

func TestLearnedCommands(t *testing.T) {
	h := newPinned(t, api.CommandsLearn)
	h.start()
	cmd := h.launcher("--", "sh", "-c", "printenv BASH_ENV; echo $OPENAI_API_KEY")
	cmd.Env = append(cmd.Env, "BASH_ENV=kept")
	h.finish(cmd).want(0, "kept\n"+marker+"\n")
	if c := h.vault.told[0]; c.Program != "/usr/bin/sh" || c.Dir != h.work || !slices.Contains(c.Weak, "inline") {
		t.Errorf("told %s", c.Encode())
	}
	// What cannot be told runs all the same.
	h.run("printf", "\xff").want(0, "\xff")
	h.vault.wantCalls(1, 1, 2)
	if n := len(h.vault.told); n != 1 {
		t.Errorf("told of %d", n)
	}
}

// Variables that make programs run other code do not reach a pinned command, nor do
// directories in PATH that whoever starts it can write to.
func TestPinnedEnvironment(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	os.Mkdir(filepath.Join(h.work, "own"), 0o755)
	h.write("own/python3", "#!/bin/sh\necho evil\n")
	h.write("evil.sh", "echo evil\n")
	h.write("deploy", "#!/bin/bash\npython3 -c 'print(1)'\nprintenv PATH NODE_OPTIONS LD_PRELOAD BASH_ENV EXTRA LC_ALL; true\n")
	os.Chmod(filepath.Join(h.work, "own/python3"), 0o755)
	os.Chmod(filepath.Join(h.work, "deploy"), 0o755)
	h.start()
	launch := func(flags ...string) *exec.Cmd {
		cmd := h.launcher(append(flags, "--", "./deploy")...)
		cmd.Env = append(cmd.Env, "NODE_OPTIONS=--require /tmp/x", "LD_PRELOAD=libc.so.6", "BASH_ENV="+h.work+"/evil.sh", "EXTRA=1", "PATH="+h.work+"/own:/usr/bin:/bin")
		return cmd
	}
	h.finish(launch()).want(1, "", notApproved)
	h.approve()
	h.vault.do(func() { h.vault.pins[0].Env = []string{"EXTRA"} })
	r := h.finish(launch())
	path := "/usr/bin:/bin"
	if os.Getuid() == 0 {
		path = "/usr/local/bin:/usr/bin:/bin" // nothing is closed to root
	}
	if want := "1\n" + path + "\n1\nC\n"; r.stdout != want || r.status != 0 || !strings.Contains(r.stderr, "BASH_ENV") || !strings.Contains(r.stderr, "and without these directories in PATH: "+h.work+"/own\n") {
		t.Errorf("%+v", r)
	}
	h.finish(launch()).want(0, "1\n"+path+"\n1\nC\n") // said once
	for _, flag := range []string{"--env=BASH_ENV=OPENAI_API_KEY", "--file=OPENAI_API_KEY=PATH", "--template=app=LD_PRELOAD", "--env=OTHER=OPENAI_API_KEY", "--file=OPENAI_API_KEY=OTHER", "--template=app=OTHER"} {
		h.finish(launch(flag)).want(1, "", "this command is pinned: ", "cannot be one of its secrets")
	}
	h.finish(launch("--stdin=OPENAI_API_KEY")).want(1, "", "this command is pinned: nothing of the project can be its standard input\n")
	h.finish(launch("--template=app=LD_PRELOAD", "--template-file=LD_PRELOAD=lib.so")).want(1, "", "this command is pinned: LD_PRELOAD cannot be one of its secrets")
	h.finish(launch("--env=EXTRA=OPENAI_API_KEY")).want(0, "1\n"+path+"\n‹cortex:EXTRA›\nC\n")
}

// A program that is replaced while the vault is asked about it does not run.
func TestPinnedProgramSwapped(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.write("prog", "#!/bin/sh\necho good\n")
	os.Chmod(filepath.Join(h.work, "prog"), 0o755)
	h.start()
	h.run("./prog").want(1, "", notApproved)
	h.approve()
	h.run("./prog").want(0, "good\n", "it runs without")
	// The vault's answer waits for the swap: it is asked for a token anew, having the
	// command's name and hash.
	h.vault.do(func() { h.vault.gate = make(chan struct{}); h.vault.tokens = map[string]map[string][]string{} })
	cmd := h.launcher("--", "./prog")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-h.vault.entered
	h.write("new", "#!/bin/sh\necho evil\n")
	if err := errors.Join(os.Chmod(filepath.Join(h.work, "new"), 0o755), os.Rename(filepath.Join(h.work, "new"), filepath.Join(h.work, "prog"))); err != nil {
		t.Fatal(err)
	}
	close(h.vault.gate)
	if err := cmd.Wait(); err == nil || !strings.Contains(stderr.String(), "./prog: it was changed while it was looked at") {
		t.Errorf("%v: %s", err, &stderr)
	}
}

func TestPinnedWait(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.vault.decided = make(chan struct{})
	h.start()
	cmd := h.launcher("--wait=1h", "--json", "--", "printenv", "OPENAI_API_KEY")
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	events := h.events(cmd)
	for _, want := range []string{`{"event":"not_pinned","project":"app","pin_id":"pin-0",`, `{"event":"waiting","seconds":3600}`} {
		if line := readLine(t, events); !strings.HasPrefix(line, want) {
			t.Fatalf("%q, not %q", line, want)
		}
	}
	h.approve()
	close(h.vault.decided)
	if err := cmd.Wait(); err != nil || stdout.String() != marker+"\n" {
		t.Errorf("%v, %q", err, &stdout)
	}
}

// A denial ends the wait.
func TestPinnedWaitDenied(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.vault.decided, h.vault.verdict = make(chan struct{}), api.StatusDenied
	h.start()
	close(h.vault.decided)
	h.finish(h.launcher("--wait=1h", "--", "true")).want(1, "", notApproved, "waiting up to 1h for a decision\n"+notApproved)
}

// What was approved is what is looked at again when somebody has decided.
func TestPinnedWaitForAnother(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.vault.decided = make(chan struct{})
	h.write("deploy.sh", "echo good\n")
	h.start()
	cmd := h.launcher("--wait=1h", "--json", "--", "sh", "deploy.sh")
	events := h.events(cmd)
	readLine(t, events)
	readLine(t, events)
	h.approve()
	h.write("deploy.sh", "echo evil\n")
	close(h.vault.decided)
	if line := readLine(t, events); !strings.Contains(line, `"why":"deploy.sh has changed"`) {
		t.Errorf("%q", line)
	}
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
}

// events starts a command, and returns what it says on standard error.
func (h *host) events(cmd *exec.Cmd) *os.File {
	h.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { r.Close() })
	cmd.Stderr = w
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	w.Close()
	return r
}

func readLine(t *testing.T, f *os.File) string {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); len(line) == 0 || line[len(line)-1] != '\n'; line = append(line, b[0]) {
		if _, err := f.Read(b); err != nil {
			t.Fatalf("%q, %v", line, err)
		}
	}
	return string(line)
}

// A text is redacted as what the project ran last, as long as that is approved: what copies
// it gets no values.
func TestPinnedRedact(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.start()
	h.run("true").want(1, "", notApproved)
	h.approve()
	h.run("true").want(0, "", "")
	h.run("false").want(1, "", notApproved) // which is not what ran
	redact := func() *exec.Cmd {
		cmd := h.launcher()
		cmd.Args = []string{"cortex-cli", "redact"}
		cmd.Stdin = strings.NewReader("it is sk-canary\n")
		return cmd
	}
	h.finish(redact()).want(0, "it is "+marker+"\n")
	if c := h.vault.told[len(h.vault.told)-1]; filepath.Base(c.Program) != "true" || c.Dir != h.work {
		t.Errorf("told %s", c.Encode())
	}
	h.vault.do(func() { h.vault.pins = nil })
	h.finish(redact()).want(1, "", notApproved)
}

// A command gets copies of its files, where its pin says so: what was looked at, whatever is
// in the files when they are read.
func TestPinnedSealed(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.write("deploy.sh", `echo "${0%/*} $OPENAI_API_KEY"; cat "$1"`+"\n")
	h.write("data", "data\n")
	h.write("prog", "#!/bin/sh\n"+`echo "${0%/*}"`+"\n")
	if err := os.Chmod(filepath.Join(h.work, "prog"), 0o755); err != nil {
		t.Fatal(err)
	}
	h.start()
	for _, command := range [][]string{{"sh", "deploy.sh", "data"}, {"./prog"}} {
		h.run(command...).want(1, "", notApproved)
		h.approve()
		h.vault.do(func() { h.vault.pins[len(h.vault.pins)-1].Sealed = true })
	}
	h.run("sh", "deploy.sh", "data").want(0, "/proc/self/fd "+marker+"\ndata\n", "cortex: warning: ")
	h.run("./prog").want(0, "/proc/self/fd\n")
	h.run("echo", "--in=data").want(1, "", notApproved)
	h.approve()
	h.vault.do(func() { h.vault.pins[len(h.vault.pins)-1].Sealed = true })
	if r := h.run("echo", "--in=data"); !strings.HasPrefix(r.stdout, "--in=/proc/self/fd/") || r.status != 0 {
		t.Errorf("%+v", r)
	}
	h.write("x=data2", "")
	for _, arg := range []string{"x=data2", "./x=data2"} {
		h.run("echo", arg).want(1, "", notApproved)
		h.approve()
		h.vault.do(func() { h.vault.pins[len(h.vault.pins)-1].Sealed = true })
	}
	h.run("echo", "x=data2").want(1, "", `a copy cannot take the place of the file "x=data2" in the argument "x=data2"`, "put ./ in front")
	if r := h.run("echo", "./x=data2"); !strings.HasPrefix(r.stdout, "/proc/self/fd/") || r.status != 0 {
		t.Errorf("%+v", r)
	}
	h.write("deploy.sh", "echo evil\n")
	h.run("sh", "deploy.sh", "data").want(1, "", notApproved+"deploy.sh has changed\n")
	h.write("long", strings.Repeat("x", 4<<20+1))
	h.run("true", "long").want(1, "", notApproved)
	h.approve()
	h.run("true", "long").want(0, "")
	h.vault.do(func() { h.vault.pins[len(h.vault.pins)-1].Sealed = true })
	h.run("true", "long").want(1, "", "/long is too long for a copy", "without --sealed")
}

// Templates are for the same commands as values.
func TestPinnedTemplate(t *testing.T) {
	h := newPinned(t, "")
	h.start()
	cmd := func() *exec.Cmd { return h.launcher("--template", "app=CONFIG", "--", "sh", "-c", `cat "$CONFIG"`) }
	h.run("true").want(0, "")
	h.vault.do(func() { h.vault.commands = api.CommandsEnforce })
	h.finish(cmd()).want(1, "", notApproved)
	h.approve()
	h.finish(cmd()).want(1, "", "this command is pinned: CONFIG cannot be one of its secrets", "approve the command with --env CONFIG")
	h.vault.do(func() { h.vault.pins[0].Env = []string{"CONFIG"} })
	h.finish(cmd()).want(0, "\"app\"\n", "it runs without")
	if n := h.vault.count("POST /project/config"); n != 2 {
		t.Errorf("%d templates", n)
	}
}

// What the caller alone sees in an approved directory, by a mount of its own, is not
// what the command sees there.
func TestPinnedMountOverAFile(t *testing.T) {
	if err := exec.Command("unshare", "-Urm", "true").Run(); err != nil {
		need.Unmet(t, "no namespaces here: ", err)
	}
	h := newPinned(t, api.CommandsEnforce)
	h.write("deploy.sh", ". ./lib.sh\n")
	h.write("lib.sh", "echo good\n")
	h.write("evil.sh", "echo evil\n")
	h.start()
	h.run("sh", "deploy.sh").want(1, "", notApproved)
	h.approve()
	cmd := h.launcher("--", "sh", "deploy.sh")
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Args = append([]string{"unshare", "-Urm", "bash", "-c", `mount --bind evil.sh lib.sh && cat lib.sh >&2 && exec -a "$@"`, "bash", "cortex-cli", exe}, cmd.Args[1:]...)
	if cmd.Path, err = exec.LookPath("unshare"); err != nil {
		t.Fatal(err)
	}
	h.finish(cmd).want(0, "good\n", "echo evil\n")
}

// A file on a disk is for the same commands, too, and its path, which nobody approved,
// is no more than a path wherever the command has it.
func TestPinnedTemplateFile(t *testing.T) {
	h := newPinned(t, api.CommandsEnforce)
	h.start()
	cmd := func(path string) *exec.Cmd {
		return h.launcher("--template", "app=EXTRA", "--template-file", "EXTRA="+path, "--", "sh", "-c", `cat {{EXTRA}}`)
	}
	h.finish(cmd("app.conf")).want(1, "", notApproved)
	h.approve()
	h.vault.do(func() { h.vault.pins[0].Env = []string{"EXTRA"} })
	h.finish(cmd("app.conf")).want(0, "\"app\"\n", "it runs without")
	for _, path := range []string{"a;env", "a b", "$(env)", "ä", "{{EXTRA}}", "a=b"} {
		h.finish(cmd(path)).want(1, "", "this command is pinned: the path of a file for it, ")
	}
	if left, err := os.ReadDir(h.work); err != nil || slices.ContainsFunc(left, func(e os.DirEntry) bool { return strings.HasPrefix(e.Name(), "a") || strings.HasPrefix(e.Name(), "$") }) {
		t.Error(left, err)
	}
}
