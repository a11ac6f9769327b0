package daemon_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/server/api"
)

func TestRunExitStatus(t *testing.T) {
	h := newHost(t)
	h.write("plain", "#!/bin/sh\n")
	h.start()
	h.run("true").want(0, "")
	h.run("sh", "-c", "exit 7").want(7, "")
	h.run("sh", "-c", "kill -TERM $$").want(143, "")
	h.run("sh", "-c", "kill -KILL $$").want(137, "")
	h.run("no-such-program").want(127, "", "cortex: no-such-program: command not found\n")
	h.run("./no-such-program").want(127, "", "no such file")
	h.run("./plain").want(126, "", "permission denied")
	h.vault.wantCalls(1, 1, 7)
}

func TestRunFeelsDirect(t *testing.T) {
	h := newHost(t)
	h.work = filepath.Join(h.work, "a place")
	if err := os.Mkdir(h.work, 0o700); err != nil {
		t.Fatal(err)
	}
	h.write(".env", "OPENAI_API_KEY=")
	h.start()
	real, _ := filepath.EvalSymlinks(h.work)
	h.run("pwd").want(0, real+"\n")
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
	h.run("sh", "-c", `echo "$0, $# arguments: $2"; echo complaint >&2`, "sh", "a", "b \xff\n c", "").want(0, "sh, 3 arguments: b \xff\n c\n", "complaint\n")

	cmd := h.launcher("--", "sh", "-c", "tr a-z A-Z; umask; ulimit -n; printenv GREETING OPENAI_API_KEY NOTIFY_SOCKET")
	cmd.Stdin = strings.NewReader("some text\n")
	cmd.Env = append(cmd.Env, "GREETING=hello \xfe there", "OPENAI_API_KEY=the caller's own")
	shell := exec.Command("bash", "-c", `umask 027; ulimit -S -n 123; ulimit -H -n 456; exec -a cortex-cli "$@"`, "bash", "/proc/"+fmt.Sprint(os.Getpid())+"/exe")
	shell.Args = append(shell.Args, cmd.Args[1:]...)
	shell.Env, shell.Dir, shell.Stdin = cmd.Env, cmd.Dir, cmd.Stdin
	r := h.finish(shell)
	if !strings.HasPrefix(r.stdout, "SOME TEXT\n0027\n") || !strings.HasSuffix(r.stdout, "hello \xfe there\n"+marker+"\n") {
		t.Errorf("%+v", r)
	}

	// Everything behind the command is the command's, with and without "--".
	h.finish(h.launcher("echo", "--project", "x", "--", "-h", "--help")).want(0, "--project x -- -h --help\n")
	h.finish(h.launcher("--", "printf", "%s.", "--", "--help")).want(0, "--.--help.")
	h.finish(h.launcher("--", "printf", "%s.", "help", "", " ")).want(0, "help.. .")
	h.finish(h.launcher("--")).want(2, "", "no command", "run --help")
	h.finish(h.launcher()).want(2, "", "no command", "run --help")
}

func TestRunNames(t *testing.T) {
	h := newHost(t)
	h.start()
	show := []string{"sh", "-c", "echo $OPENAI_API_KEY $OTHER_KEY"}
	h.run(show...).want(0, marker+"\n")
	// Values in the file, and the file itself, stay here.
	if text := h.vault.asked[0].Context.FileContent; text != "OPENAI_API_KEY=\n" {
		t.Errorf("sent %q", text)
	}
	h.vault.wantCalls(1, 1, 1)

	h.write("other.env", "OTHER_KEY=")
	h.finish(h.launcher(append([]string{"--env-file", "other.env", "--"}, show...)...)).want(0, "‹cortex:OTHER_KEY›\n")
	h.vault.wantCalls(1, 2, 2)
	// Each still gets its own names only, and they do not take the token from
	// each other.
	h.run(show...).want(0, marker+"\n")
	h.finish(h.launcher(append([]string{"--env-file", "other.env", "--"}, show...)...)).want(0, "‹cortex:OTHER_KEY›\n")
	h.vault.wantCalls(1, 2, 4)

	h.finish(h.launcher("--env-file", "nothing.env", "--", "true")).want(1, "", "nothing.env")
	os.Rename(filepath.Join(h.work, ".env"), filepath.Join(h.work, ".env.example"))
	h.run(show...).want(0, marker+"\n")
	os.Remove(filepath.Join(h.work, ".env.example"))
	h.run(show...).want(0, "\n", "neither .env nor .env.example")
	h.vault.wantCalls(1, 2, 6)
}

// Who left a variable to the vault hears that it has none.
func TestRunMissing(t *testing.T) {
	h := newHost(t)
	h.start()
	h.write(".env", "OPENAI_API_KEY=\nNOWHERE=\nGIVEN=5\nIN_ENVIRONMENT=\nexport NOR_THIS=''\n")
	cmd := h.launcher("--", "printenv", "OPENAI_API_KEY")
	cmd.Env = append(cmd.Env, "IN_ENVIRONMENT=x")
	r := h.finish(cmd)
	r.want(0, marker+"\n", "cortex: warning: the vault has no secret for NOR_THIS, NOWHERE: the command runs without\n")
	if strings.Contains(r.stderr, "GIVEN") || strings.Contains(r.stderr, "IN_ENVIRONMENT") {
		t.Errorf("stderr %s", r.stderr)
	}
	// What has a secret by and by is had after a while; until then, no more is
	// asked than before.
	h.vault.wantCalls(1, 1, 1)
	h.finish(h.launcher("--", "true")).want(0, "", "NOWHERE")
	h.vault.wantCalls(1, 1, 2)
	h.write(".env", "OPENAI_API_KEY=\nMIIEvQIBADANBg\n")
	h.finish(h.launcher("--", "true")).want(1, "", "line 2: not of the form NAME=value; nothing was sent")
}

func TestRunPending(t *testing.T) {
	h := newHost(t)
	h.vault.pending = []string{"OPENAI_API_KEY"}
	h.start()
	h.run("true").want(1, "", "project app is waiting for approval", "\ngrant_id: grant-1\n", "\nrequested_keys: [\"OPENAI_API_KEY\"]\n", h.vault.server.URL)
	answer := h.ask(`{"cmd":"run","program":"true","project":"app","env_file":"` + filepath.Join(h.work, ".env") + `"}`)
	if want := `"error_code":"pending_approval"`; !strings.Contains(answer, want) || !strings.Contains(answer, `"grant_id":"grant-1","requested_keys":["OPENAI_API_KEY"],"message":"waiting for approval","server_url":"`+h.vault.server.URL+`"`) {
		t.Error(answer)
	}
	// Whoever asks too often still hears what it waits for.
	h.vault.do(func() {
		h.vault.refuse["POST /agent/discover"] = *refusal(http.StatusTooManyRequests, api.RateLimited, "too many requests")
	})
	h.run("true").want(1, "", "project app is waiting for approval", "\ngrant_id: grant-1\n")
	h.vault.do(func() { delete(h.vault.refuse, "POST /agent/discover") })
	h.vault.do(func() { h.vault.pending = nil })
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")

	// A name that still waits does not stop runs that do not want it.
	h.vault.do(func() { h.vault.pending = []string{"OTHER_KEY"} })
	h.write("other.env", "OTHER_KEY=")
	h.finish(h.launcher("--env-file", "other.env", "--", "true")).want(1, "", "waiting for approval")
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")

	h.vault.do(func() {
		h.vault.refuse["POST /agent/discover"] = *refusal(http.StatusForbidden, api.GrantDenied, "denied by a person")
	})
	h.finish(h.launcher("--env-file", "other.env", "--", "true")).want(1, "", "project app: denied by a person", "hint: ")
}

// While the server is asked too often, what the daemon holds serves those whose
// names it covers; the others hear when to try again.
func TestRunTooOften(t *testing.T) {
	tooOften := *refusal(http.StatusTooManyRequests, api.RateLimited, "too many requests")
	tooOften.RetryAfter = 57 * time.Second
	limit := func(h *host) {
		h.vault.do(func() { h.vault.refuse["POST /agent/discover"] = tooOften })
	}
	t.Run("a name withheld", func(t *testing.T) {
		h := newHost(t)
		h.start()
		h.write(".env", "OPENAI_API_KEY=\nOTHER_KEY=\n")
		h.run("true").want(0, "")
		h.vault.do(func() { h.vault.withheld = []string{"OTHER_KEY"} })
		limit(h)
		for range 2 {
			h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n", "cortex: warning: the vault has no secret for OTHER_KEY: the command runs without\n")
		}
		h.write(".env", "OPENAI_API_KEY=\n")
		if r := h.run("printenv", "OPENAI_API_KEY"); r.stderr != "" {
			t.Errorf("stderr %s", r.stderr)
		}
		h.write(".env", "OPENAI_API_KEY=\nNEW_KEY=\n")
		h.run("true").want(1, "", "cortex: project app: too many requests\n", "cortex: hint: try again in 57s\n")
	})
	t.Run("a token about to end", func(t *testing.T) {
		h := newHost(t)
		h.vault.lifetime = 50 * time.Second // and less than a minute is no good, if another can be had
		h.start()
		h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
		limit(h)
		if r := h.run("printenv", "OPENAI_API_KEY"); r.status != 0 || r.stdout != marker+"\n" || r.stderr != "" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("a token that ended", func(t *testing.T) {
		h := newHost(t)
		h.start()
		h.run("true").want(0, "")
		h.vault.do(func() { clear(h.vault.tokens) })
		limit(h)
		h.run("true").want(1, "", "too many requests", "try again in 57s")
	})
}

func TestRunElsewhere(t *testing.T) {
	h := newHost(t)
	requests := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer other.Close()
	h.start()
	before := h.vault.count("attest")
	for _, url := range []string{other.URL, other.URL + "/path", strings.Replace(h.vault.server.URL, "http:", "https:", 1), h.vault.server.URL + "0", "nonsense", "http://user:secret@127.0.0.1"} {
		h.finish(h.launcher("--url", url, "--", "true")).want(1, "", "enrolled at "+h.vault.server.URL, "hint: ")
	}
	if other.Close(); requests != 0 {
		t.Errorf("%d requests went elsewhere", requests)
	}
	h.vault.wantCalls(before, 0, 0)
	for _, url := range []string{h.vault.server.URL + "/", strings.ToUpper(h.vault.server.URL[:4]) + h.vault.server.URL[4:]} {
		h.finish(h.launcher("--url", url, "--", "true")).want(0, "")
	}
	h.finish(h.launcher("--url", "", "--", "true")).want(2, "", "--url is empty") // a variable that is not set
	h.finish(h.launcher("--project", "../x", "--", "true")).want(2, "", "bad project name")
}

func TestRunsTogether(t *testing.T) {
	h := newHost(t)
	h.vault.gate = make(chan struct{})
	h.start()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n") })
	}
	<-h.vault.entered
	close(h.vault.gate)
	wg.Wait()
	h.vault.wantCalls(1, 1, 4)
}

func TestTokenRenewed(t *testing.T) {
	h := newHost(t)
	h.start()
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
	t.Run("replaced elsewhere", func(t *testing.T) {
		h.vault.do(func() { h.vault.tokens["app"] = map[string][]string{"another": nil} })
		h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
		h.vault.wantCalls(1, 2, 3)
	})
	t.Run("session ended", func(t *testing.T) {
		h.vault.do(func() { clear(h.vault.sessions) })
		h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
		h.vault.wantCalls(2, 4, 5)
	})
	t.Run("refused for good", func(t *testing.T) {
		h.vault.do(func() {
			h.vault.refuse["GET /project/secrets/{project}"] = *refusal(http.StatusUnauthorized, api.TokenRevoked, "token revoked")
		})
		h.run("true").want(1, "", "fetching the secrets of project app: token revoked")
		h.vault.wantCalls(2, 5, 7)
	})
	t.Run("not trusted any more", func(t *testing.T) {
		h.vault.do(func() {
			h.vault.refuse["POST /agent/discover"] = *unauthorized
			h.vault.refuse["POST /daemon/attest"] = *unauthorized
		})
		for range 3 {
			h.run("true").want(1, "", "try again in half a minute")
		}
		// Two sessions were asked for within half a minute: no third time.
		h.vault.wantCalls(2, 8, 8)
	})
}

func TestDaemonRestarts(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
	stop()
	h.run("true").want(1, "", "the daemon is not running", "hint: start it: cortex daemon")
	h.start()
	h.run("printenv", "OPENAI_API_KEY").want(0, marker+"\n")
	h.vault.wantCalls(2, 2, 2)
	if a := h.vault.attests; a[0].AttestationPub == a[1].AttestationPub || a[0].BinarySHA256 != a[1].BinarySHA256 {
		t.Error("the attestation key is to be as old as the process, the binary's hash is not to change")
	}
	entries, _ := os.ReadDir(h.dir)
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(h.dir, e.Name()))
		if err == nil && (bytes.Contains(text, []byte("sk-canary")) || bytes.Contains(text, []byte(accessToken))) {
			t.Errorf("%s holds a secret", e.Name())
		}
		for project := range h.vault.tokens["app"] {
			if bytes.Contains(text, []byte(project)) {
				t.Errorf("%s holds a project token", e.Name())
			}
		}
	}
	for _, secret := range []string{"sk-canary", accessToken} {
		if strings.Contains(h.log.String(), secret) {
			t.Errorf("%s was logged", secret)
		}
	}
}

// family starts processes in every way there is; all hold standard output.
const family = `sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000 & (setsid sleep 1000 &)' &) ; echo up; wait`

// begin starts a run whose standard output is returned once it has said "up".
func (h *host) begin(cmd *exec.Cmd) *bufio.Reader {
	h.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { r.Close() })
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	w.Close()
	h.t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	out := bufio.NewReader(r)
	if line, err := out.ReadString('\n'); err != nil || line != "up\n" {
		h.t.Fatalf("%q, %v", line, err)
	}
	return out
}

func TestNothingIsLeft(t *testing.T) {
	h := newHost(t)
	stop := h.start()
	t.Run("launcher killed", func(t *testing.T) {
		cmd := h.launcher("--", "sh", "-c", family)
		out := h.begin(cmd)
		cmd.Process.Kill()
		io.Copy(io.Discard, out) // until nobody holds it any more
	})
	t.Run("launcher killed while it waits for the server", func(t *testing.T) {
		h.vault.do(func() { h.vault.gate = make(chan struct{}) })
		cmd := h.launcher("--project", "slow", "--", "true")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		<-h.vault.entered
		cmd.Process.Kill()
		cmd.Wait()
		h.vault.do(func() {
			close(h.vault.gate)
			h.vault.gate = nil
		})
	})
	for _, s := range []syscall.Signal{unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGALRM, unix.SIGPIPE, unix.SIGUSR1} {
		t.Run(s.String()+" while it waits for the server", func(t *testing.T) {
			h.vault.do(func() { h.vault.gate = make(chan struct{}) })
			cmd := h.launcher("--project", fmt.Sprintf("slow-%d", s), "--", "true")
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			<-h.vault.entered
			cmd.Process.Signal(s)
			h.wantStatus(cmd, 128+int(s))
			h.vault.do(func() {
				close(h.vault.gate)
				h.vault.gate = nil
			})
		})
	}
	t.Run("daemon stopped", func(t *testing.T) {
		cmd := h.launcher("--", "sh", "-c", family)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out := h.begin(cmd)
		stop()
		io.Copy(io.Discard, out)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(stderr.String(), "the daemon was stopped") {
			t.Errorf("status %d, %s", code, &stderr)
		}
	})
}

func TestSignalsAreForwarded(t *testing.T) {
	h := newHost(t)
	h.start()
	for _, row := range []struct {
		signal syscall.Signal
		script string
		status int
	}{
		{unix.SIGINT, "exec sleep 1000", 130},
		{unix.SIGTERM, "exec sleep 1000", 143},
		{unix.SIGHUP, "exec sleep 1000", 129},
		{unix.SIGQUIT, "exec sleep 1000", 131},
		{unix.SIGABRT, "exec sleep 1000", 134},
		{unix.SIGALRM, "exec sleep 1000", 142},
		{unix.SIGPIPE, "exec sleep 1000", 141},
		{unix.SIGXCPU, "exec sleep 1000", 152},
		{syscall.Signal(40), "exec sleep 1000", 168},
		{unix.SIGUSR1, "trap 'exit 5' USR1; echo up; while :; do sleep 1000 & wait $!; done", 5},
		{unix.SIGINT, "trap 'echo bye; exit 3' INT; echo up; while :; do sleep 1000 & wait $!; done", 3},
	} {
		script := row.script
		if !strings.Contains(script, "up") {
			script = "echo up; " + script
		}
		cmd := h.launcher("--", "sh", "-c", script)
		h.begin(cmd)
		cmd.Process.Signal(row.signal)
		cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != row.status {
			t.Errorf("%v: status %d, want %d", row.signal, code, row.status)
		}
	}
}

// Stopping the launcher stops the program, and the launcher waits for that.
func TestStopAndContinue(t *testing.T) {
	h := newHost(t)
	h.start()
	cmd := h.launcher("--", "sh", "-c", "echo up; read x; echo got $x; exit 9")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out := h.begin(cmd)
	cmd.Process.Signal(unix.SIGTSTP)
	var status unix.WaitStatus
	if _, err := unix.Wait4(cmd.Process.Pid, &status, unix.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("%v, %v", status, err)
	}
	io.WriteString(in, "text\n")
	cmd.Process.Signal(unix.SIGCONT)
	if line, err := out.ReadString('\n'); err != nil || line != "got text\n" {
		t.Errorf("%q, %v", line, err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 9 {
		t.Errorf("status %d", code)
	}
}

func TestCallerIsTold(t *testing.T) {
	h := newHost(t)
	commit := strings.Repeat("0123abcd", 5)
	git := filepath.Join(h.work, ".git")
	os.MkdirAll(filepath.Join(git, "refs/heads"), 0o700)
	h.write(".git/HEAD", "ref: refs/heads/main\n")
	h.write(".git/refs/heads/main", commit+"\n")
	h.start()
	h.run("true").want(0, "")
	got := h.vault.callers[0]
	exe, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	binary := sha256.Sum256(exe)
	argv := sha256.Sum256([]byte(strings.Join(os.Args, "\x00")))
	work, _ := filepath.EvalSymlinks(h.work)
	for name, want := range map[string]string{
		"Pid": fmt.Sprint(os.Getpid()), "Binary-Sha256": hex.EncodeToString(binary[:]),
		"Argv-Hash": hex.EncodeToString(argv[:]), "Cwd": work, "Git-Commit": commit,
	} {
		if v := got.Get("X-Cortex-Caller-" + name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	if hostname, _ := os.Hostname(); got.Get("X-Cortex-Hostname") != hostname || !strings.HasPrefix(got.Get("X-Cortex-Os"), "linux/") {
		t.Errorf("%v", got)
	}
}

// A signal is never lost between the start of a program and its first line.
func TestSignalAtOnce(t *testing.T) {
	h := newHost(t)
	h.start()
	for range 25 {
		cmd := h.launcher("--", "sh", "-c", "echo up; exec sleep 1000")
		h.begin(cmd)
		cmd.Process.Signal(unix.SIGINT)
		h.wantStatus(cmd, 130)
	}
}
