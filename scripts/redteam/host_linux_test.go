package redteam

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// A somebody is a user of an agent's host.
type somebody struct {
	name   string
	uid    int
	groups []uint32
}

// Who is on an agent's host beside the daemon: alice calls it, grace may in the
// isolated install, and bob may not. Nobody on this machine has their ids.
const (
	aliceID = 64101
	graceID = 64102
	bobID   = 64103
	runner1 = 64111 // the first of those whose commands are, in the isolated install
)

// The daemon of the isolated install has to be somebody with a name.
const daemonName = "uucp"

// Where that daemon has to be, and what it keeps.
const (
	systemSock  = "/run/cortex/agent.sock"
	systemState = "/var/lib/cortex-daemon"
)

// A host is an agent's host: users, a daemon that is logged in, and a vault of its
// own somewhere.
type host struct {
	*site
	in                install
	dir, state, sock  string
	alice, grace, bob somebody
	own               somebody // whose the daemon is
	agent             string
	daemon            *e2e.Program
	program           string // the daemon's; if empty, the one that was built
	spawners          []*activated

	project, variable, value string // what is approved

	sshOnce sync.Once
	listed  ssh.Signer // of a host that an SSH key is for
}

var (
	personalHost = once(func() *host { return newHost(stage, personal) })
	isolatedHost = once(func() *host { return newHost(stage, isolated) })
)

// newHost returns a host with a daemon that runs. There is one isolated install at a
// time.
func newHost(t *testing.T, in install) *host {
	t.Helper()
	h := &host{site: newSite(t), in: in, dir: shortDir(t), agent: named("bot")}
	if err := os.Chmod(h.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.alice, h.grace, h.bob = somebody{"alice", aliceID, nil}, somebody{"grace", graceID, nil}, somebody{"bob", bobID, nil}
	for _, who := range []somebody{h.alice, h.grace, h.bob} {
		h.own = who
		h.mkdir(t, h.home(who), 0o711)
		h.mkdir(t, h.work(who), 0o755)
	}
	h.own, h.sock = h.alice, filepath.Join(h.home(h.alice), ".cortex", "agent.sock")
	h.state = filepath.Dir(h.sock)
	if in == isolated {
		h.isolate(t)
	}
	if log, err := h.login(t); err != nil {
		t.Fatalf("%v\n%s", err, log)
	}
	h.start(t)
	t.Cleanup(func() { h.daemon.Kill() })
	h.project = named("app")
	h.variable, _, h.value = h.secret(t)
	if r := h.run(t, h.alice, h.project, h.variable, "true"); r.status != 0 {
		t.Fatalf("nothing runs to begin with: %+v", r)
	}
	return h
}

// isolate makes the daemon another user's than who calls, and commands others'.
func (h *host) isolate(t *testing.T) {
	t.Helper()
	u, err := user.Lookup(daemonName)
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.ParseUint(u.Gid, 10, 32)
	h.own = somebody{name: daemonName, uid: uid}
	h.alice.groups, h.grace.groups = []uint32{uint32(gid)}, []uint32{uint32(gid)}
	h.state, h.sock = systemState, systemSock
	h.mkdir(t, h.state, 0o700)
	h.mkdir(t, filepath.Dir(systemSock), 0o711)
	h.spawners = h.activate(t, 8)
}

// mkdir makes a directory of whose the daemon is.
func (h *host) mkdir(t *testing.T, dir string, mode os.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(dir, mode), os.Chmod(dir, mode), os.Chown(dir, h.own.uid, h.own.uid)); err != nil {
		t.Fatal(err)
	}
}

func (h *host) home(who somebody) string { return filepath.Join(h.dir, who.name) }

// work is where a user types commands. Commands of the isolated install may go there.
func (h *host) work(who somebody) string { return filepath.Join(h.home(who), "work") }

// as returns a command of a user.
func (h *host) as(ctx context.Context, who somebody, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(who.uid), Gid: uint32(who.uid), Groups: who.groups}}
	cmd.Dir = "/"
	cmd.Env = []string{"HOME=" + h.home(who), "PATH=" + bin + ":" + os.Getenv("PATH"), "LANG=C.UTF-8", "TMPDIR=/tmp"}
	if who.uid == h.own.uid {
		cmd.Env = append(cmd.Env, "CORTEX_HOME="+h.state)
	}
	if _, err := os.Stat(h.work(who)); err == nil {
		cmd.Dir = h.work(who)
	}
	return cmd
}

// cortex returns the program, as a user calls it.
func (h *host) cortex(t *testing.T, who somebody, args ...string) *exec.Cmd {
	t.Helper()
	return h.as(t.Context(), who, filepath.Join(bin, "cortex"), args...)
}

// A result is what came of a command.
type result struct {
	stdout, stderr string
	status         int
}

// finish runs a command to its end.
func finish(t *testing.T, cmd *exec.Cmd) result {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatalf("%v: %v", cmd.Args, err)
	}
	return result{out.String(), errs.String(), cmd.ProcessState.ExitCode()}
}

// login logs the daemon in.
func (h *host) login(t *testing.T) (log string, err error) {
	t.Helper()
	return h.admit(t, h.cortex(t, h.own, "daemon", "login", "--agent-id", h.agent, "--url", h.URL, "--no-browser"), h.agent)
}

// start starts the daemon.
func (h *host) start(t *testing.T, flags ...string) {
	t.Helper()
	cmd := h.as(context.WithoutCancel(t.Context()), h.own, cmp.Or(h.program, filepath.Join(bin, "cortex-daemon")), append([]string{"--sock", h.sock}, flags...)...)
	cmd.Args[0] = "cortex-daemon"
	for _, s := range h.spawners {
		cmd.Args = append(cmd.Args, "--spawner", s.sock)
	}
	if h.in == isolated {
		cmd.Args = append(cmd.Args, "--group", daemonName)
		cmd.SysProcAttr.Credential.Gid = h.alice.groups[0]
	}
	cmd.Dir = h.state
	var err error
	if h.daemon, err = e2e.Launch((*exec.Cmd).Start, cmd, "X_CORTEX_SOCK"); err != nil {
		t.Fatal(err)
	}
}

// A hostMove is a move against either install.
type hostMove func(t *testing.T, h *host) outcome

// on makes moves against an install.
func on(h func() *host, all ...map[string]hostMove) moves {
	m := moves{}
	for _, some := range all {
		for id, move := range some {
			m[id] = func(t *testing.T) outcome { return move(t, h()) }
		}
	}
	return m
}

// pidOf returns a process id that somebody printed.
func pidOf(t *testing.T, text string) int {
	t.Helper()
	var pid int
	if _, err := fmt.Sscan(text, &pid); err != nil {
		t.Fatalf("%q is no process id", text)
	}
	return pid
}
