package daemon_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/harden"
)

func TestSocketIsOurs(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	info, err := os.Lstat(h.sock)
	if err != nil || info.Mode() != os.ModeSocket|0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	h.refused(h.config(), "a daemon is running already, process "+fmt.Sprint(os.Getpid()))
	if answer := h.ask(`{"cmd":"status"}`); !strings.Contains(answer, `"ok":true`) {
		t.Error(answer)
	}
	stop()

	// One that knows no lock is recognised by its answering.
	l, err := net.Listen("unix", h.sock)
	if err != nil {
		t.Fatal(err)
	}
	h.refused(h.config(), "a daemon is running already")
	// One that was killed leaves its socket behind.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	h.start()()

	if err := os.WriteFile(h.sock, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	h.refused(h.config(), "is not a socket")
	os.Remove(h.sock)
	os.Symlink(filepath.Join(h.dir, "elsewhere"), h.sock)
	h.refused(h.config(), "is not a socket")
	os.Remove(h.sock)
	h.vault.wantCalls(2, 0, 0) // none of those disturbed the one that runs
}

// refused starts a daemon that is to fail.
func (h *host) refused(cfg daemon.Config, text string) error {
	h.t.Helper()
	d, err := daemon.New(cfg)
	if err == nil {
		ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
		defer cancel()
		err = d.Run(ctx)
		d.Close()
	}
	if err == nil || !strings.Contains(err.Error(), text) {
		h.t.Errorf("%v, want %q", err, text)
	}
	return err
}

func TestSocketDirectory(t *testing.T) {
	h := newHost(t)
	cfg := h.config()
	dir := filepath.Join(h.dir, "sub")
	cfg.Sock = filepath.Join(dir, "s")
	for _, row := range []struct {
		make func() error
		text string
	}{
		{func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o770)) }, "others may write"},
		{func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o1777)) }, "others may write"},
		{func() error { return os.Symlink(h.dir, dir) }, "symbolic link"},
		{func() error { return os.WriteFile(dir, nil, 0o600) }, "not a directory"},
		{func() error { return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 65534, -1)) }, "belongs to uid 65534"},
	} {
		if err := row.make(); errors.Is(err, os.ErrPermission) {
			continue // only root can give a directory away
		} else if err != nil {
			t.Fatal(err)
		}
		h.refused(cfg, row.text)
		os.RemoveAll(dir)
	}
	// Above it, somebody else could put another one in its place.
	open := filepath.Join(h.dir, "open")
	cfg.Sock = filepath.Join(open, "sub", "s")
	if err := errors.Join(os.MkdirAll(filepath.Dir(cfg.Sock), 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	h.refused(cfg, "others could replace "+filepath.Dir(cfg.Sock)+": everybody can write to "+open)
	os.Chmod(open, 0o777|os.ModeSticky) // as /tmp is, which is fine
	h.sock = cfg.Sock
	h.startWith(cfg)()

	cfg.Sock = filepath.Join(h.dir, strings.Repeat("x", 100))
	h.refused(cfg, "103 bytes")

	h.sock = filepath.Join(h.dir, "a", "b", "s")
	cfg.Sock = h.sock
	h.startWith(cfg)
	if info, err := os.Stat(filepath.Dir(h.sock)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// What is there of old may be open to others. The directory of the keys is closed,
// and one that is only the socket's stays as it is.
func TestDirectoriesOfOld(t *testing.T) {
	h := newHost(t)
	keys, sockets := filepath.Join(h.dir, "keys"), filepath.Join(h.dir, "sockets")
	for _, dir := range []string{keys, sockets} {
		if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	cfg := h.config()
	cfg.Dir, cfg.Sock = keys, filepath.Join(sockets, "s")
	h.sock = cfg.Sock
	h.startWith(cfg)
	for dir, want := range map[string]os.FileMode{keys: 0o700, sockets: 0o755} {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", dir, info.Mode(), err)
		}
	}
}

// A daemon runs without a login that is good, says why, and takes up the next one.
func TestLogin(t *testing.T) {
	h := newHost(t)
	os.Remove(identity.SessionPath(h.dir))
	h.start()
	hint := "hint: cortex daemon login --agent-id bot --url " + h.vault.server.URL
	h.run("true").want(1, "", "not logged in", "hint: cortex daemon login --agent-id ID --url URL")
	if answer := h.ask(`{"cmd":"status"}`); !strings.Contains(answer, `"session":null`) || !strings.Contains(answer, "not logged in") {
		t.Error(answer)
	}
	if answer := h.ask(`{"cmd":"reload"}`); !strings.Contains(answer, `"ok":false`) || !strings.Contains(answer, "not logged in") {
		t.Error(answer)
	}
	h.login(time.Now().Add(-2*time.Hour), time.Hour)
	h.run("true").want(1, "", "the login expired", hint)
	h.vault.wantCalls(0, 0, 0)

	h.vault.do(func() { h.vault.refuse["POST /daemon/attest"] = *unauthorized })
	h.login(time.Now(), time.Hour)
	if answer := h.ask(`{"cmd":"reload"}`); !strings.Contains(answer, "does not accept this host's login") {
		t.Error(answer)
	}
	h.run("true").want(1, "", "does not accept this host's login, or not now", "ask an administrator whether agent bot is frozen", strings.TrimPrefix(hint, "hint: "))
	h.vault.do(func() {
		h.vault.refuse["POST /daemon/attest"] = *refusal(http.StatusForbidden, api.BinaryNotAllowed, "not on the allowlist")
	})
	h.login(time.Now().Add(time.Second), time.Hour)
	h.run("true").want(1, "", "not on the allowlist", "SHA-256")
	h.vault.do(func() { delete(h.vault.refuse, "POST /daemon/attest") })
	h.login(time.Now().Add(2*time.Second), time.Hour)
	if answer := h.ask(`{"cmd":"reload"}`); answer != `{"ok":true}` {
		t.Error(answer)
	}
	h.run("true").want(0, "")
}

// Each client may have the login taken up. While it is the same, that costs nothing.
func TestReloadOfTheSameLogin(t *testing.T) {
	h := newHost(t)
	h.start()
	for range 5 {
		if answer := h.ask(`{"cmd":"reload"}`); answer != `{"ok":true}` {
			t.Fatal(answer)
		}
	}
	h.vault.wantCalls(1, 0, 0)
}

// Another login makes another agent of a daemon that runs, or none; what runs goes
// on.
func TestAnotherLogin(t *testing.T) {
	h := newHost(t)
	h.start()
	slow := h.launcher("--", "sh", "-c", "echo began; read line; echo $line")
	in, _ := slow.StdinPipe()
	out, _ := slow.StdoutPipe()
	if err := slow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Scan()

	other := newVault(t)
	other.agent = h.vault.agent
	was := h.vault
	h.vault = other
	h.login(time.Now(), time.Hour)
	if answer := h.ask(`{"cmd":"reload"}`); answer != `{"ok":true}` {
		t.Error(answer)
	}
	h.run("true").want(0, "")
	other.wantCalls(1, 1, 1)
	was.wantCalls(1, 1, 1)
	if a, b := was.attests[0].AttestationPub, other.attests[0].AttestationPub; a == b {
		t.Error("two servers were shown one key")
	}
	os.Remove(identity.Path(h.dir, "bot"))
	h.run("true").want(0, "") // the key is in memory
	identity.DeleteSession(h.dir)
	h.ask(`{"cmd":"reload"}`)
	h.run("true").want(1, "", "not logged in")

	io.WriteString(in, "went on\n")
	if lines.Scan(); lines.Text() != "went on" {
		t.Errorf("%q", lines.Text())
	}
	if err := slow.Wait(); err != nil {
		t.Error(err)
	}
}

// A server that is away is no reason not to start.
func TestServerAway(t *testing.T) {
	h := newHost(t)
	url := h.vault.server.URL
	addr := h.vault.server.Listener.Addr().String()
	h.vault.server.Close()
	h.start()
	h.run("true").want(1, "", "cannot reach the server at "+url, "hint: check that the server runs")
	if answer := h.ask(`{"cmd":"status"}`); !strings.Contains(answer, `"attest_session_id":""`) || !strings.Contains(answer, "cannot reach") {
		t.Error(answer)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	back := &http.Server{Handler: h.vault.handler()}
	go back.Serve(l)
	defer back.Close()
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
}

func TestStatus(t *testing.T) {
	h := newHost(t)
	cfg := h.config()
	cfg.Hardening = harden.Report{Measures: []harden.Measure{{Name: "swap", OK: true, Detail: "none"}}}
	h.startWith(cfg)
	answer := h.ask(`{"cmd":"status","other":[1,{"x":null}]}`)
	var s ipc.Status
	if err := json.Unmarshal([]byte(answer), &s); err != nil {
		t.Fatal(err)
	}
	if !s.OK || s.AgentID != "bot" || s.ServerURL != h.vault.server.URL || h.vault.sessions[s.AttestSessionID] == nil || s.Session == nil ||
		s.Session.AgentID != "bot" || s.PID != os.Getpid() || s.Version != "test" || len(s.Hardening) != 2 || s.Hardening[0].Name != "swap" || s.Hardening[1].Name != "monitors" {
		t.Error(answer)
	}
	if strings.Contains(answer, accessToken) || strings.Contains(strings.ToLower(answer), "token") {
		t.Errorf("status tells too much: %s", answer)
	}
}

// Status tells which projects there are, what waits, and what went wrong lately.
func TestStatusOfProjects(t *testing.T) {
	h := newHost(t)
	h.start()
	ask := func() (s ipc.Status) {
		if err := json.Unmarshal([]byte(h.ask(`{"cmd":"status"}`)), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	if s := ask(); len(s.Projects) != 0 || len(s.Failures) != 0 {
		t.Errorf("%+v", s)
	}
	h.vault.do(func() { h.vault.pending = []string{"OPENAI_API_KEY"} })
	h.run("true").want(1, "", "grant_id: grant-1")
	if s := ask(); len(s.Projects) != 1 || s.Projects[0] != (ipc.Project{Name: "app", GrantID: "grant-1"}) || len(s.Failures) != 0 {
		t.Errorf("%+v", s)
	}
	h.vault.do(func() { h.vault.pending = nil })
	h.run("true").want(0, "")
	for i := range 2 * maxFailures {
		h.vault.do(func() {
			for _, method := range []string{"GET", "POST"} {
				h.vault.refuse[method+" /project/secrets/{project}"] = api.Error{Status: 403, Code: "denied", Message: "not-today-" + fmt.Sprint(i/2)}
			}
		})
		h.run("true").want(1, "", "not-today-"+fmt.Sprint(i/2))
	}
	h.vault.do(func() { h.vault.refuse = map[string]api.Error{} })
	// What its caller did wrong is for the caller.
	h.run("no-such-program").want(127, "", "command not found")
	h.run("/").want(126, "", "")
	for _, line := range []string{
		`{"cmd":"run","v":1,"fds":[],"names":[],"program":"true","project":"app","url":"https://elsewhere.example"}`,
		`{"cmd":"run","program":"","project":"app"}`,
		`{"cmd":"run","program":"true","project":"app","no_mask":true}`,
	} {
		if answer := h.ask(line); !strings.Contains(answer, `"ok":false`) {
			t.Errorf("%s: %s", line, answer)
		}
	}
	s := ask()
	if len(s.Projects) != 1 || s.Projects[0].ExpiresAt == "" || s.Projects[0].GrantID != "" {
		t.Errorf("%+v", s.Projects)
	}
	if len(s.Failures) != maxFailures || !strings.Contains(s.Failures[0].Error, "not-today-7") || !strings.Contains(s.Failures[7].Error, "not-today-0") {
		t.Errorf("%+v", s.Failures)
	}
}

// maxFailures is how many a status tells.
const maxFailures = 8

// Clients that know no descriptors send one line and get one.
func TestOneLineClient(t *testing.T) {
	h := newHost(t)
	h.start()
	request := func(script string) string {
		line, err := json.Marshal(map[string]any{"cmd": "run", "program": "sh", "args": []string{"-c", script}, "project": "app", "url": h.vault.server.URL, "env_file": nil})
		if err != nil {
			t.Fatal(err)
		}
		return string(line)
	}
	t.Chdir(h.work)
	t.Setenv("GREETING", "hello") // not in the environment it began with, which is what can be seen
	out := filepath.Join(h.dir, "out")
	script := fmt.Sprintf(`{ pwd; printenv OPENAI_API_KEY; printenv GREETING; printenv PATH; readlink /proc/self/fd/0; } > %s; exit 7`, out)
	if answer := h.ask(request(script)); answer != `{"ok":true,"exit_code":7}` {
		t.Error(answer)
	}
	got, _ := os.ReadFile(out)
	work, _ := filepath.EvalSymlinks(h.work)
	if want := work + "\nsk-canary\n" + os.Getenv("PATH") + "\n/dev/null\n"; string(got) != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if answer := h.ask(request("kill -TERM $$")); answer != `{"ok":true,"exit_code":143}` {
		t.Error(answer)
	}
	if answer := h.ask(`{"cmd":"run","program":"no-such-program","project":"app"}`); !strings.HasPrefix(answer, `{"ok":false,"exit_code":127,"error":"no-such-program: command not found"`) {
		t.Error(answer)
	}
	if answer := h.ask(`{"cmd":"run","program":"true","project":"app","env_file":"no.env"}`); !strings.Contains(answer, `no.env`) || !strings.Contains(answer, `"ok":false`) {
		t.Error(answer)
	}
	unix.Mkfifo(filepath.Join(h.work, "pipe"), 0o600)
	if answer := h.ask(`{"cmd":"run","program":"true","project":"app","env_file":"pipe"}`); !strings.Contains(answer, `not a plain file`) {
		t.Error(answer)
	}
	// Whoever wrote the directory does not choose what else is read.
	os.Rename(filepath.Join(h.work, ".env"), filepath.Join(h.work, "real.env"))
	os.Symlink("real.env", filepath.Join(h.work, ".env"))
	if answer := h.ask(`{"cmd":"run","program":"true","project":"app"}`); !strings.Contains(answer, `symbolic links`) {
		t.Error(answer)
	}
	os.Rename(filepath.Join(h.work, "real.env"), filepath.Join(h.work, ".env"))

	t.Run("that has closed its sending half", func(t *testing.T) {
		conn := h.dial()
		fmt.Fprintln(conn, request("exit 4"))
		conn.CloseWrite()
		if answer, err := io.ReadAll(conn); err != nil || string(answer) != `{"ok":true,"exit_code":4}`+"\n" {
			t.Errorf("%q, %v", answer, err)
		}
	})
	t.Run("that goes away", func(t *testing.T) {
		for _, half := range []bool{false, true} {
			fifo := filepath.Join(h.dir, fmt.Sprint("fifo", half))
			unix.Mkfifo(fifo, 0o600)
			conn := h.dial()
			fmt.Fprintln(conn, request("exec > "+fifo+"; echo up; (setsid sleep 1000 &); sleep 1000"))
			if half {
				conn.CloseWrite()
			}
			r, err := os.Open(fifo)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			up := make([]byte, 3)
			io.ReadFull(r, up)
			conn.Close()
			if rest, err := io.ReadAll(r); string(up) != "up\n" || len(rest) != 0 || err != nil {
				t.Errorf("%q %q %v", up, rest, err)
			}
		}
	})
}

func TestBadRequests(t *testing.T) {
	h := newHost(t)
	h.start()
	for _, row := range []struct{ line, text string }{
		{`nonsense`, "not JSON"},
		{`{"cmd":"inject"}`, "unknown cmd"},
		{`{"cmd":"get_secret","name":"OPENAI_API_KEY"}`, "unknown cmd"},
		{`{"cmd":"run","cmd":"status"}`, "twice"},
		{`{"cmd":"run"}`, "program is missing"},
		{`{"cmd":"run","program":"true"}`, "bad project name"},
		{`{"cmd":"run","program":"true","project":"../x"}`, "bad project name"},
		{`{"cmd":"run","program":"true","project":"app","v":1,"fds":["cwd"]}`, "0 descriptors came, 1 are named"},
		{`{"cmd":"run","program":"true","project":"app","v":1}`, "no working directory"},
		{`{"cmd":"run","program":"true","project":"app","names":["A\nB"]}`, "no name"},
		{`{"cmd":"run","program":"true","project":"app","names":["#A"]}`, "no name"},
		{`{"cmd":"run","program":"true","project":"app","names":[""]}`, "no name"},
		{`{"cmd":"run","program":"true","project":"app","names":["` + strings.Repeat("x", 600) + `"]}`, "no name"},
	} {
		if answer := h.ask(row.line); !strings.HasPrefix(answer, `{"ok":false,`) || !strings.Contains(answer, row.text) {
			t.Errorf("%.80s: %s", row.line, answer)
		}
	}
	h.vault.wantCalls(1, 0, 0)

	// Too long a line is read no further.
	conn := h.dial()
	go conn.Write([]byte(strings.Repeat("x", ipc.MaxLine+1)))
	if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), "too long") {
		t.Errorf("%q", answer)
	}
	conn = h.dial()
	conn.Write([]byte(`{"cmd":"status"}`))
	conn.CloseWrite()
	if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), `"ok":false`) {
		t.Errorf("half a line: %q", answer)
	}
}

// Descriptors that nobody asked for are closed, all of them.
func TestUnwantedDescriptors(t *testing.T) {
	h := newHost(t)
	h.start()
	for _, row := range []struct {
		line string
		n    int
	}{
		{`{"cmd":"status"}`, 1},
		{`{"cmd":"run","program":"true","project":"app","v":1,"fds":["cwd"]}`, 3},
		{`{"cmd":"run","program":"true","project":"app","v":1,"fds":["cwd"]}`, 60},
		{`{"cmd":"run","program":"true","project":"app","v":1,"fds":["cwd"]}`, 100},
		{`{"cmd":"run","program":"true","project":"app","v":5,"fds":["cwd","fd3","fd3"]}`, 3},
		{`{"cmd":"run","program":"true","project":"../app","v":5,"fds":["cwd","fd3","fd4"]}`, 3},
		{`nonsense`, 4},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		fds := make([]int, row.n)
		for i := range fds {
			fds[i] = int(w.Fd())
		}
		conn := h.dial()
		if _, _, err := conn.WriteMsgUnix([]byte(row.line+"\n"), unix.UnixRights(fds...), nil); err != nil {
			t.Fatal(err)
		}
		w.Close()
		if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), `"ok":false`) {
			t.Errorf("%s with %d: %s", row.line, row.n, answer)
		}
		io.Copy(io.Discard, r) // ends when nobody has the other end
		r.Close()
	}
}

func TestTooManyConnections(t *testing.T) {
	h := newHost(t)
	cfg := h.config()
	cfg.MaxConnections = 2
	h.startWith(cfg)
	fifo := filepath.Join(h.dir, "fifo")
	unix.Mkfifo(fifo, 0o600)
	t.Chdir(h.work)
	var held []*net.UnixConn
	for range 2 {
		conn := h.dial()
		fmt.Fprintf(conn, `{"cmd":"run","program":"sh","args":["-c","echo up > %s; sleep 1000"],"project":"app"}`+"\n", fifo)
		if up, err := os.ReadFile(fifo); string(up) != "up\n" {
			t.Fatalf("%q, %v", up, err)
		}
		held = append(held, conn)
	}
	waits, gone := h.dial(), h.dial()
	for _, conn := range []*net.UnixConn{gone, waits} {
		fmt.Fprintln(conn, `{"cmd":"run","program":"true","project":"app","queue":true}`)
		line, err := bufio.NewReader(io.LimitReader(conn, 26)).ReadString('\n')
		if err != nil || !strings.Contains(line, `"queued":true`) {
			t.Fatalf("one too many heard %q, %v", line, err)
		}
	}
	gone.Close()
	if answer := h.ask(`{"cmd":"status"}`); !strings.Contains(answer, `"runs":2`) {
		t.Errorf("how it is: %q", answer)
	}
	held[0].Close()
	if answer, err := io.ReadAll(waits); !strings.Contains(string(answer), `"exit_code":0`) {
		t.Errorf("after one has left: %q, %v", answer, err)
	}
	held[1].Close()
}

// Who only connects keeps nobody out, however often he does.
func TestIdleConnectionsGiveWay(t *testing.T) {
	h := newHost(t)
	h.start()
	t.Chdir(h.work)
	idle := h.dial()
	for range 1000 {
		h.dial()
	}
	h.ask(`{"cmd":"status"}`)              // all before it have been let in then
	fmt.Fprintln(idle, `{"cmd":"status"}`) // what lies unread keeps nobody from hearing why
	h.run("true").want(0, "")
	if answer, _ := io.ReadAll(idle); !strings.Contains(string(answer), `"error_code":"busy"`) {
		t.Errorf("the oldest heard %q", answer)
	}
}

// stranger is another user's process that tries the socket.
func stranger(path string) int {
	conn, err := net.Dial("unix", path)
	if err != nil {
		fmt.Println("connecting:", err)
		return 1
	}
	io.WriteString(conn, `{"cmd":"status"}`+"\n")
	answer, err := io.ReadAll(conn)
	fmt.Printf("got %q, %v\n", answer, err != nil)
	return 0
}

// A socket for a group is for its members, whose files the daemon does not open.
func TestGroup(t *testing.T) {
	need.Root(t, "be somebody else as well")
	h := newHost(t)
	cfg := h.config()
	cfg.Group = "no-such-group"
	h.refused(cfg, "unknown group no-such-group")
	cfg.Group = "games"
	h.startWith(cfg)
	var st unix.Stat_t
	if err := errors.Join(os.Chmod(h.dir, 0o711), unix.Lstat(h.sock, &st)); err != nil || st.Mode&0o777 != 0o660 {
		t.Errorf("%o, %v", st.Mode, err)
	}
	if got := visit(h.sock, &syscall.Credential{Uid: 65534, Gid: 65534}); !strings.Contains(got, "permission denied") {
		t.Error(got)
	}
	for _, member := range []*syscall.Credential{{Uid: 65534, Gid: st.Gid}, {Uid: 65534, Gid: 65534, Groups: []uint32{st.Gid}}} {
		if got := visit(h.sock, member); !strings.Contains(got, `\"ok\":true`) {
			t.Error(got)
		}
	}
	if got := h.ask(`{"cmd":"run","program":"true","project":"app","env_file":"/etc/passwd"}`); !strings.Contains(got, "reads no files of yours") {
		t.Error(got)
	}
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
}

// visit asks for the status as somebody else, and returns what came of it.
func visit(sock string, who *syscall.Credential) string {
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"stranger", sock}, Env: []string{}, Dir: "/"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	out, _ := cmd.CombinedOutput()
	return string(out)
}

func TestOtherUsersGetNothing(t *testing.T) {
	need.Root(t, "be somebody else as well")
	h := newHost(t)
	h.start()
	try := func() string { return visit(h.sock, &syscall.Credential{Uid: 65534, Gid: 65534}) }
	if got := try(); !strings.Contains(got, "permission denied") {
		t.Error(got)
	}
	// Were the modes of directory and socket wrong, that would not be all.
	if err := errors.Join(os.Chmod(h.dir, 0o755), os.Chmod(h.sock, 0o666)); err != nil {
		t.Fatal(err)
	}
	if got := try(); !strings.HasPrefix(got, `got "", `) {
		t.Error(got)
	}
	if !strings.Contains(h.log.String(), "uid 65534") {
		t.Error("not logged")
	}
}
