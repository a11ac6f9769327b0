package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// stripped names the variable by which this program strips itself of what its value
// lists, and goes on as another one.
const stripped = "CORTEX_E2E_STRIPPED"

// bin holds the program as it is shipped, under its four names.
var bin string

// TestMain is the program of a holder where it is told to be, and of what is to
// have less than others.
func TestMain(m *testing.M) {
	if os.Getenv(stripped) != "" {
		fmt.Fprintln(os.Stderr, strip())
		os.Exit(1)
	}
	if os.Getenv(holdAddr) != "" {
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	// What is started here is not to inherit that whatever runs the tests, such
	// as nohup, has it ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "cortex-bin-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		if err := e2e.Build("../..", dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// patience is how long anything awaited may take.
const patience = 60 * time.Second

// A stage is a directory in which parts of cortex run.
type stage struct {
	t      *testing.T
	bin    string // where the program is
	dir    string
	launch func(*exec.Cmd) error // how the parts are started
	env    []string
	notify *net.UnixConn
	url    string
	under  []string // what commands are run by, such as strace
}

// newStage returns a stage whose processes end with the test.
func newStage(t *testing.T) *stage {
	t.Helper()
	e2e.Look(t, "../..")
	dir, err := os.MkdirTemp("", "e2e-") // short, for the path of a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: dir + "/notify", Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { notify.Close() })
	return &stage{t: t, bin: bin, dir: dir, launch: (*exec.Cmd).Start, notify: notify, env: []string{
		"HOME=" + dir + "/home", "PATH=" + bin + ":" + os.Getenv("PATH"), "TMPDIR=" + dir, "NOTIFY_SOCKET=" + dir + "/notify",
		"CORTEX_KEK_PASSWORD=" + e2e.Password, "ADMIN_TOKEN=" + e2e.AdminToken, "DATABASE_URL=bolt://" + dir + "/vault.db",
		"PORT=0", "INSECURE_HTTP=1", "CORTEX_KDF_PROFILE=low", "CORTEX_RATE_LIMITS=off",
		"CORTEX_AUDIT_RESERVE=off",
	}}
}

// A process is one part that runs.
type process struct {
	*exec.Cmd
	output *bytes.Buffer // read it once the process has ended
	ended  chan error
}

// start runs a part and waits until it is ready. It returns what it announces
// under key.
func (s *stage) start(name, key string, env ...string) (*process, string) {
	s.t.Helper()
	var output bytes.Buffer
	cmd := exec.Command(filepath.Join(s.bin, name))
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(s.env, env...), s.dir, &output, &output
	if err := s.launch(cmd); err != nil {
		s.t.Fatal(err)
	}
	p := &process{cmd, &output, make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	s.t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.ended
		if s.t.Failed() {
			s.t.Logf("%s:\n%s", name, output.String())
		}
	})
	s.notify.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 4096)
	for {
		n, err := s.notify.Read(buf)
		if err != nil {
			s.t.Fatalf("%s is not ready: %v", name, err)
		}
		for line := range strings.Lines(string(buf[:n])) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
				return p, value
			}
		}
	}
}

// wait waits for the end of a process.
func (p *process) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return err
	case <-time.After(patience):
		t.Fatal("the process does not end")
		return nil
	}
}

// serve starts the server.
func (s *stage) serve(env ...string) *process {
	s.t.Helper()
	p, url := s.start("cortex-server", "X_CORTEX_URL", env...)
	s.url = url
	return p
}

// admin asks the server for something that has to work.
func (s *stage) admin(method, path, body string) map[string]any {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("X-Admin-Token", e2e.AdminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var v map[string]any
	if resp.StatusCode/100 != 2 || json.Unmarshal(answer, &v) != nil {
		s.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	return v
}

// run runs a command to its end and returns what it prints.
func (s *stage) run(name string, args ...string) (stdout, stderr string, err error) {
	var out, complaints bytes.Buffer
	cmd := s.command(name, args...)
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err = cmd.Run()
	return out.String(), complaints.String(), err
}

func (s *stage) command(name string, args ...string) *exec.Cmd {
	words := slices.Concat(s.under, []string{filepath.Join(bin, name)}, args)
	cmd := exec.Command(words[0], words[1:]...)
	cmd.Env, cmd.Dir = s.env, s.dir
	return cmd
}

// enrol registers an agent's key and logs its daemon in.
func (s *stage) enrol(agent string) {
	s.t.Helper()
	pub, stderr, err := s.run("cortex-cli", "gen-key", "--agent-id", agent)
	if err != nil {
		s.t.Fatalf("%v\n%s", err, stderr)
	}
	s.admin("POST", "/admin/agents", fmt.Sprintf(`{"agent_id":%q,"agent_pub":%q}`, agent, strings.TrimSpace(pub)))
	login := s.command("cortex-cli", "daemon", "login", "--agent-id", agent, "--url", s.url, "--no-browser")
	out, err := login.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	if err := login.Start(); err != nil {
		s.t.Fatal(err)
	}
	if err := e2e.ApproveLogin(out, func(code string) {
		s.admin("POST", "/admin/web/device/approve", fmt.Sprintf(`{"agent_id":%q,"user_code":%q}`, agent, code))
	}); err != nil {
		s.t.Fatal(err)
	}
	if err := login.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// useSecret runs a command with the secret OPENAI_API_KEY, after the approval.
func (s *stage) useSecret() {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, ".env"), []byte("OPENAI_API_KEY=\n"), 0o600); err != nil {
		s.t.Fatal(err)
	}
	run := []string{"run", "--project", "app", "--url", s.url, "--", "printenv", "OPENAI_API_KEY"}
	_, stderr, err := s.run("cortex", run...)
	grant := e2e.GrantID.FindString(stderr)
	if err == nil || grant == "" {
		s.t.Fatalf("the first run did not wait: %v\n%s", err, stderr)
	}
	s.admin("POST", "/admin/pending-grants/"+grant+"/approve", "{}")
	stdout, stderr, err := s.run("cortex", run...)
	if err != nil || stdout != "‹cortex:OPENAI_API_KEY›\n" {
		s.t.Fatalf("%q, %v\n%s", stdout, err, stderr)
	}
}
