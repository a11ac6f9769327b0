package redteam

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// A station is an agent's host that moves on the network are made against: a home
// directory, with the command line and a daemon. How its users are kept apart is
// not its business.
type station struct {
	dir, url, agent string
	env, more       []string // more is what is not every station's
	daemon          *e2e.Program
}

// newStation returns a station that knows a server by a URL, and is not logged in.
func newStation(t *testing.T, url string, env ...string) *station {
	t.Helper()
	h := &station{dir: shortDir(t), url: url, agent: named("bot"), more: env}
	h.env = append([]string{"HOME=" + h.dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + h.dir, "LANG=C.UTF-8"}, env...)
	return h
}

// cortex runs a verb, and returns what it prints.
func (h *station) cortex(args ...string) (stdout, stderr string, err error) {
	var out, complaints bytes.Buffer
	cmd := exec.Command(filepath.Join(bin, "cortex"), args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = h.dir, h.env, &out, &complaints
	err = cmd.Run()
	return out.String(), complaints.String(), err
}

// register makes the agent's key, and has it registered at a vault.
func (h *station) register(t *testing.T, s *site) {
	t.Helper()
	pub, stderr, err := h.cortex("gen-key", "--agent-id", h.agent)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	s.Admin(t, http.MethodPost, "/admin/agents", object{"agent_id": h.agent, "agent_pub": strings.TrimSpace(pub)}, nil)
}

// login logs in. At the vault the log-in is approved, if it gets there.
func (h *station) login(t *testing.T, s *site, args ...string) (log string, err error) {
	t.Helper()
	return s.admit(t, h.loggingIn(args...), h.agent)
}

// loggingIn is a log-in that waits for somebody's approval.
func (h *station) loggingIn(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "cortex"), append([]string{"daemon", "login", "--agent-id", h.agent, "--url", h.url, "--no-browser"}, args...)...)
	cmd.Dir, cmd.Env = h.dir, h.env
	return cmd
}

// admit carries out a log-in of an agent, and approves it, if it gets there.
func (s *site) admit(t *testing.T, cmd *exec.Cmd, agent string) (log string, err error) {
	t.Helper()
	return decide(t, cmd, func(code string) {
		s.TryAdmin(t, http.MethodPost, "/admin/web/device/approve", object{"agent_id": agent, "user_code": code})
	})
}

// decide carries out a log-in, whose code somebody gets.
func decide(t *testing.T, cmd *exec.Cmd, by func(code string)) (log string, err error) {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := e2e.ApproveLogin(io.TeeReader(stderr, &said), by); err != nil {
		t.Fatal(err)
	}
	return said.String(), cmd.Wait()
}

// mustLogIn is login for what has to work.
func (h *station) mustLogIn(t *testing.T, s *site, args ...string) {
	t.Helper()
	if log, err := h.login(t, s, args...); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
}

// start starts the daemon.
func (h *station) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, "cortex-daemon"))
	cmd.Dir, cmd.Env = h.dir, h.env
	var err error
	if h.daemon, err = e2e.Launch((*exec.Cmd).Start, cmd, "X_CORTEX_SOCK"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.daemon.Kill)
}

// run runs a command with a variable, unmasked only in what it writes to files.
func (h *station) run(variable string, command ...string) (stdout, stderr string, err error) {
	if err := os.WriteFile(filepath.Join(h.dir, ".env"), []byte(variable+"=\n"), 0o600); err != nil {
		return "", "", err
	}
	return h.cortex(append([]string{"run", "--project", "app", "--url", h.url, "--"}, command...)...)
}

// gets reports whether a command gets a value, which is approved if that waits.
func (h *station) gets(t *testing.T, s *site, variable, value string) bool {
	t.Helper()
	got := filepath.Join(h.dir, named("got"))
	command := []string{"sh", "-c", `printenv "$1" > "$2"`, "sh", variable, got}
	_, stderr, err := h.run(variable, command...)
	if grant := e2e.GrantID.FindString(stderr); err != nil && grant != "" {
		s.Admin(t, http.MethodPost, "/admin/pending-grants/"+grant+"/approve", object{}, nil)
		_, stderr, err = h.run(variable, command...)
	}
	if err != nil {
		t.Logf("%v: %s", err, stderr)
		return false
	}
	return strings.TrimSpace(string(read(t, got))) == value
}

// copied returns a station with what this one knows, and no daemon.
func (h *station) copied(t *testing.T) *station {
	t.Helper()
	c := newStation(t, h.url, h.more...)
	c.agent = h.agent
	home := filepath.Join(c.dir, ".cortex")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(filepath.Join(h.dir, ".cortex"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		if f.Type().IsRegular() {
			if err := os.WriteFile(filepath.Join(home, f.Name()), read(t, filepath.Join(h.dir, ".cortex", f.Name())), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}
