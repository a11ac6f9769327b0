package command

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// A fakeDaemon answers every connection with the same lines, whatever was
// asked, and keeps what was asked.
type fakeDaemon struct {
	sock     string
	requests chan ipc.Request
}

func newFakeDaemon(t *testing.T, answer string) *fakeDaemon {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	d := &fakeDaemon{filepath.Join(dir, "s"), make(chan ipc.Request, 10)}
	l, err := net.Listen("unix", d.sock)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			line, err := bufio.NewReader(conn).ReadBytes('\n')
			if r, parseErr := ipc.ParseRequest(line); err == nil && parseErr == nil {
				d.requests <- r
			} else {
				t.Errorf("%q, %v, %v", line, err, parseErr)
			}
			conn.Write([]byte(answer))
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		os.RemoveAll(dir)
	})
	return d
}

func TestRunAnswers(t *testing.T) {
	h := newHost(t)
	h.write(".env", "A=1\n")
	for _, row := range []struct {
		answer string
		status int
		stderr []string // nothing if empty
	}{
		{`{"ok":true,"exit_code":0}`, 0, nil},
		{`{"ok":true,"exit_code":143}`, 143, nil},
		{`{"ok":false,"exit_code":127,"error":"x: command not found"}`, 127, []string{"cortex: x: command not found\n"}},
		{`{"ok":false,"error":"no server","hint":"start one"}`, 1, []string{"cortex: no server\n", "cortex: hint: start one\n"}},
		{`{"ok":false,"error":"two\nlines"}`, 1, []string{"cortex: two; lines\n"}},
		{`{"ok":false,"error_code":"pending_approval","grant_id":"g-1","requested_keys":["A","B C","\u001b[31m\u009b\u0085"],"message":"m"}`, 1, []string{
			"cortex: project app is waiting for approval", "\ngrant_id: g-1\n", "\n" + `requested_keys: ["A","B C","\u001b[31m\u009b\u0085"]` + "\n", "cortex grant approve g-1",
		}},
		{`{"ok":false,"error_code":"pending_approval","grant_id":"g-1","server_url":"https://elsewhere.example"}`, 1, []string{"cortex grant approve g-1 --url https://vault.example.com\n"}},
		{`{"ok":false,"error_code":"pending_approval","grant_id":"g'\u001b[2J"}`, 1, []string{`grant_id: "g'\x1b[2J"`, "requested_keys: []\n"}},
		{`{}`, 1, []string{"makes no sense", "hint: "}},
		{`{"ok":true}`, 1, []string{"makes no sense"}},
		{`nonsense`, 1, []string{"makes no sense"}},
		{``, 1, []string{"the daemon has ended, and with it the command"}},
	} {
		d := newFakeDaemon(t, row.answer+"\n")
		if row.answer == "" {
			d = newFakeDaemon(t, "")
		}
		r := h.run("run", "--project", "app", "--url", "https://vault.example.com", "--sock", d.sock, "--", "x").want(t, row.status, row.stderr...)
		if r.stdout != "" || len(row.stderr) == 0 && r.stderr != "" || strings.Contains(r.stderr, "\x1b") {
			t.Errorf("%s: stdout %q, stderr %q", row.answer, r.stdout, r.stderr)
		}
	}
}

// A daemon that hangs does not keep a launcher that is to end.
func TestRunOfADaemonThatHangs(t *testing.T) {
	h := newHost(t)
	sock := filepath.Join(h.home, "s")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewReader(conn)
		in.ReadBytes('\n')
		unix.Kill(os.Getpid(), unix.SIGTERM)
		in.WriteTo(io.Discard)
	}()
	h.run("run", "--project", "app", "--env-file", "/dev/null", "--sock", sock, "--", "x").want(t, 143, "the daemon does not answer", "hint: see whether")
}

func TestRunRequest(t *testing.T) {
	h := newHost(t)
	h.write(".env", "# comment\nKEY=sk-value\nexport OTHER=sk-value\nKEY=\nSET=\n")
	d := newFakeDaemon(t, `{"ok":true,"exit_code":0}`+"\n")
	t.Setenv("CORTEX_DAEMON_SOCK", d.sock)
	t.Setenv("CORTEX_PROJECT", "app")
	t.Setenv("SET", "")
	t.Setenv("RUN_TEST", "b\xff\nc")
	h.run("run", "--", "prog", "-x", "--", "y\xfe").want(t, 0)
	r := <-d.requests
	if r.Cmd != "run" || r.V != 1 || r.Program != "prog" || !slices.Equal(r.Args, []ipc.Text{"-x", "--", "y\xfe"}) || r.Project != "app" || r.URL != nil || r.EnvFile != nil {
		t.Errorf("%+v", r)
	}
	if !slices.Equal(*r.Names, []string{"KEY", "OTHER", "KEY", "SET"}) || !slices.Contains(r.Env, "RUN_TEST=b\xff\nc") || !slices.Equal(r.Needed, []string{"KEY"}) || r.Umask == nil || len(r.Limits) < 8 {
		t.Errorf("%+v", r)
	}
	if b, err := json.Marshal(r); err != nil || strings.Contains(string(b), "sk-value") {
		t.Error("values of the file were sent")
	}
	t.Setenv("CORTEX_URL", "https://vault.example.com")
	t.Setenv("CORTEX_ENV_FILE", h.write("names", ""))
	r2 := h.run("run", "prog", "--project").want(t, 0)
	if r = <-d.requests; r.URL == nil || *r.URL != "https://vault.example.com" || r.Names == nil || len(*r.Names) != 0 || !slices.Equal(r.Args, []ipc.Text{"--project"}) || r2.stderr != "" {
		t.Errorf("%+v, %s", r, r2.stderr)
	}
}

// A user who names no server learns where to approve all the same.
// Another user's command can open the caller's pipes again, each in its direction, and what
// has a name is as it was.
func TestShare(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(t.TempDir(), "named")
	if err := unix.Mkfifo(named, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(named, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		file *os.File
		mode os.FileMode
	}{{r, 0o604}, {w, 0o606}, {f, 0o600}} { // both ends are of one pipe
		share([]int{int(row.file.Fd())})
		if info, err := row.file.Stat(); err != nil || info.Mode().Perm() != row.mode {
			t.Errorf("%v, %v, not %o", info.Mode(), err, row.mode)
		}
		defer row.file.Close()
	}
}

func TestPendingWithoutURL(t *testing.T) {
	h := newHost(t)
	h.write(".env", "A=")
	d := newFakeDaemon(t, `{"ok":false,"error_code":"pending_approval","grant_id":"g-1","server_url":"https://vault.example.com","hint":"h"}`+"\n")
	h.run("run", "--project", "app", "--sock", d.sock, "--", "x").want(t, 1, "cortex grant approve g-1 --url https://vault.example.com\n")
}

func TestRunWithoutDaemon(t *testing.T) {
	h := newHost(t)
	h.write(".env", "A=")
	h.run("run", "--project", "app", "--", "true").want(t, 1, "the daemon is not running", ".cortex/agent.sock", "hint: start it: cortex daemon")
	h.run("run", "--project", "app", "--env-file", "none", "--", "true").want(t, 1, "none")
	h.run("run", "--project", "app", "--sock", t.TempDir(), "--", "true").want(t, 1, "hint: ")
	h.run("run", "--", "true").want(t, 2, "project")
	h.run("run", "--project", "a b", "--", "true").want(t, 2, "bad project name")
	h.run("run", "--project", "app").want(t, 2, "no command")
}

// Whoever put a socket where the daemon's should be does not get to see the
// environment.
func TestRunSquattedSocket(t *testing.T) {
	if sock := os.Getenv("RUN_TEST_SQUAT"); sock != "" {
		squat(t, sock)
		return
	}
	need.Root(t, "be somebody else as well")
	h := newHost(t)
	h.write(".env", "A=")
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	sock, got := filepath.Join(dir, "s"), filepath.Join(dir, "got")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRunSquattedSocket$")
	cmd.Env = []string{"RUN_TEST_SQUAT=" + sock, "RUN_TEST_GOT=" + got}
	cmd.ExtraFiles = []*os.File{w}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	r.Read(make([]byte, 1)) // it listens
	h.run("run", "--project", "app", "--sock", sock, "--", "true").want(t, 1, "refusing the daemon", "another user: uid 65534")
	cmd.Wait()
	if text, err := os.ReadFile(got); err != nil || string(text) != "heard \"\"" {
		t.Errorf("%q, %v", text, err)
	}
}

// squat is what the other user's process of [TestRunSquattedSocket] does.
func squat(t *testing.T, sock string) {
	unix.Umask(0)
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	os.NewFile(3, "ready").Write([]byte{1})
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	if err := os.WriteFile(os.Getenv("RUN_TEST_GOT"), []byte("heard "+quoted(line)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}
