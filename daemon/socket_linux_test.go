package daemon_test

import (
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

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon"
	"github.com/cortex-auth/cortex/daemon/ipc"
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
		err = d.Run(h.t.Context())
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
	cfg.Sock = filepath.Join(h.dir, strings.Repeat("x", 100))
	h.refused(cfg, "103 bytes")

	h.sock = filepath.Join(h.dir, "a", "b", "s")
	cfg.Sock = h.sock
	h.startWith(cfg)
	if info, err := os.Stat(filepath.Dir(h.sock)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

func TestLogin(t *testing.T) {
	h := newHost(t)
	hint := "cortex daemon login --agent-id bot --url " + h.vault.server.URL
	t.Run("expired", func(t *testing.T) {
		h.login(time.Now().Add(-2*time.Hour), time.Hour)
		if err := h.refused(h.config(), "the login expired"); client.Hint(err) != hint {
			t.Error(client.Hint(err))
		}
	})
	h.login(time.Now(), time.Hour)
	t.Run("refused", func(t *testing.T) {
		h.vault.refuse["POST /daemon/attest"] = *unauthorized
		if err := h.refused(h.config(), "does not accept this host's login"); client.Hint(err) != hint {
			t.Error(client.Hint(err))
		}
		h.vault.refuse["POST /daemon/attest"] = *refusal(http.StatusForbidden, api.BinaryNotAllowed, "not on the allowlist")
		if err := h.refused(h.config(), "not on the allowlist"); !strings.Contains(client.Hint(err), "SHA-256") {
			t.Error(client.Hint(err))
		}
	})
	t.Run("without key", func(t *testing.T) {
		os.Remove(identity.Path(h.dir, "bot"))
		if err := h.refused(h.config(), "the key of agent bot is not in"); client.Hint(err) != hint {
			t.Error(client.Hint(err))
		}
	})
	t.Run("none", func(t *testing.T) {
		identity.DeleteSession(h.dir)
		if err := h.refused(h.config(), "not logged in"); client.Hint(err) != "cortex daemon login --agent-id ID --url URL" {
			t.Error(client.Hint(err))
		}
	})
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
		s.Session.AgentID != "bot" || s.PID != os.Getpid() || s.Version != "test" || len(s.Hardening) != 1 || s.Hardening[0].Name != "swap" {
		t.Error(answer)
	}
	if strings.Contains(answer, accessToken) || strings.Contains(strings.ToLower(answer), "token") {
		t.Errorf("status tells too much: %s", answer)
	}
}

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
	h.run("true").want(1, "", "as many clients as it may", "hint: ")
	conn := h.dial()
	if answer, _ := io.ReadAll(conn); !strings.Contains(string(answer), `"error_code":"busy"`) {
		t.Errorf("%q", answer)
	}
	for _, conn := range held {
		conn.Close()
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

func TestOtherUsersGetNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else as well")
	}
	h := newHost(t)
	h.start()
	try := func() string {
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"stranger", h.sock}, Env: []string{}, Dir: "/"}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, _ := cmd.CombinedOutput()
		return string(out)
	}
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
