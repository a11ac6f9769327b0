package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client/command"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/daemon"
	"github.com/cortex-auth/cortex/daemon/spawn"
	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/logtest"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// The test binary is also the monitor, the launcher, a daemon that can be killed,
// and a client of another user.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case spawn.Name:
		syscall.Exit(spawn.Monitor())
	case spawn.SpawnerName:
		syscall.Exit(spawn.Spawner())
	case "cortex-cli":
		syscall.Exit(play(&cli.Command{Name: "cortex-cli", Commands: command.Needed(os.Args, command.Verbs(os.Args)...)}))
	case "cortex-daemon":
		root := daemon.Command()
		root.Name = "cortex-daemon"
		syscall.Exit(play(root))
	case "stranger":
		syscall.Exit(stranger(os.Args[1]))
	case "clinging":
		syscall.Exit(clinging(os.Args[1], os.Args[2], os.Args[3]))
	}
	// Launchers are not to inherit that whatever runs the tests, such as nohup,
	// has it ignored.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	os.Exit(m.Run())
}

// play is what main does with a role.
func play(root *cli.Command) int {
	ctx, stop := harden.UntilSignal(context.Background(), syscall.SIGHUP)
	defer stop()
	return command.Main(ctx, command.Strict(root), os.Args, os.Stderr)
}

// A host is an agent host, logged in at a vault.
type host struct {
	t     *testing.T
	vault *vault
	dir   string // the state directory
	sock  string
	work  string // where commands are typed
	home  string // of whom programs are another user's; if empty, there is none
	log   *logtest.Log
}

func newHost(t *testing.T) *host {
	t.Helper()
	e2e.KeepInherited()
	h := &host{t: t, vault: newVault(t), work: t.TempDir(), log: &logtest.Log{}}
	h.dir = shortDir(t)
	h.sock = filepath.Join(h.dir, "agent.sock")
	h.write(".env", "# needed\nOPENAI_API_KEY=ignored\n")
	key, err := identity.Generate(identity.Path(h.dir, "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	h.vault.agent = key.Public()
	h.login(time.Now(), 30*24*time.Hour)
	return h
}

// shortDir returns a directory whose path leaves room for a socket's name.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// login leaves behind what daemon login does.
func (h *host) login(issued time.Time, lasts time.Duration) {
	h.t.Helper()
	key, err := identity.Load(identity.Path(h.dir, "bot"), "bot")
	if err != nil {
		h.t.Fatal(err)
	}
	defer key.Destroy()
	s := identity.Session{ServerURL: h.vault.server.URL, AgentID: "bot", IssuedAt: issued, ExpiresIn: lasts}
	if err := identity.SaveSession(h.dir, key, s, opaque.New([]byte(accessToken))); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) write(name, content string) {
	h.t.Helper()
	if err := os.WriteFile(filepath.Join(h.work, name), []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) config() daemon.Config {
	return daemon.Config{Dir: h.dir, Version: "test", Log: slog.New(slog.NewTextHandler(h.log, nil))}
}

// start runs a daemon until the test, or the function it returns, ends it.
func (h *host) start() (stop func()) { return h.startWith(h.config()) }

func (h *host) startWith(cfg daemon.Config) (stop func()) {
	h.t.Helper()
	ready := h.supervise()
	d, err := daemon.New(cfg)
	if err != nil {
		h.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- d.Run(ctx)
		d.Close()
	}()
	if err := h.isReady(ready); err != nil {
		cancel()
		h.t.Fatalf("%v: %v", err, <-done)
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			h.t.Error(err)
		}
		if _, err := os.Lstat(h.sock); !errors.Is(err, os.ErrNotExist) {
			h.t.Errorf("the socket is still there: %v", err)
		}
	})
	h.t.Cleanup(stop)
	return stop
}

// startApart runs a daemon as a process of its own, which the function it returns
// kills.
func (h *host) startApart() (kill func()) {
	h.t.Helper()
	ready := h.supervise()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: []string{"cortex-daemon"}, Env: append(os.Environ(), "CORTEX_HOME="+h.dir), Stderr: h.log}
	if err := cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	h.t.Cleanup(kill)
	if err := h.isReady(ready); err != nil {
		h.t.Fatal(err)
	}
	return kill
}

// isReady waits for a daemon to say so.
func (h *host) isReady(ready *net.UnixConn) error {
	message := make([]byte, 1024)
	n, err := ready.Read(message)
	if err != nil || string(message[:n]) != "READY=1\nX_CORTEX_SOCK="+h.sock {
		return fmt.Errorf("%q: %w", message[:n], err)
	}
	return nil
}

// supervise listens where the daemon says that it is ready.
func (h *host) supervise() *net.UnixConn {
	h.t.Helper()
	addr := &net.UnixAddr{Name: filepath.Join(shortDir(h.t), "n"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	h.t.Setenv("NOTIFY_SOCKET", addr.Name)
	return conn
}

// launcher returns a cortex run of a command. The flags end with "--".
func (h *host) launcher(args ...string) *exec.Cmd {
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: append([]string{"cortex-cli", "run"}, args...), Dir: h.work}
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.t.TempDir(), "CORTEX_DAEMON_SOCK=" + h.sock, "CORTEX_PROJECT=app", "CORTEX_URL=" + h.vault.server.URL, "LC_ALL=C", "PWD=" + h.work}
	return cmd
}

// A result is what a command left on the terminal.
type result struct {
	t              *testing.T
	stdout, stderr string
	status         int
}

// marker is what stands for the value of OPENAI_API_KEY where a command prints
// it: that it is there shows that the command had the very value.
const marker = "‹cortex:OPENAI_API_KEY›"

func (h *host) run(command ...string) result {
	h.t.Helper()
	return h.finish(h.launcher(append([]string{"--"}, command...)...))
}

func (h *host) finish(cmd *exec.Cmd) result {
	h.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		h.t.Fatal(err)
	}
	return result{h.t, stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// want checks what a command left behind; stderr is to hold each text, and
// nothing at all if there are none.
func (r result) want(status int, stdout string, stderr ...string) {
	r.t.Helper()
	bad := r.status != status || r.stdout != stdout || len(stderr) == 0 && r.stderr != ""
	for _, text := range stderr {
		bad = bad || !strings.Contains(r.stderr, text)
	}
	if bad {
		r.t.Errorf("status %d, stdout %q, stderr %q\nwant %d, %q, %q", r.status, r.stdout, r.stderr, status, stdout, stderr)
	}
}

// ask sends one line and returns the answer, as clients without descriptors
// do.
func (h *host) ask(line string) string {
	h.t.Helper()
	conn := h.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		h.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		h.t.Fatal(err)
	}
	return strings.TrimSuffix(string(answer), "\n")
}

func (h *host) dial() *net.UnixConn {
	h.t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: h.sock, Net: "unix"})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { conn.Close() })
	return conn
}
