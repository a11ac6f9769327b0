package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// A runHost is a host with a daemon that is logged in at a server, and a project
// with ten secrets that an administrator has approved.
type runHost struct {
	bench  *bench
	dir    string // of the commands; it has the names of the secrets
	server *process
	daemon *process
}

func (b *bench) newRunHost() (h *runHost, err error) {
	dir, err := os.MkdirTemp(b.dir, "host-")
	if err != nil {
		return nil, err
	}
	h = &runHost{bench: b, dir: dir}
	if h.server, err = b.serve(dir); err != nil {
		return nil, err
	}
	err = steps(h.login, (&agent{addr: h.server.addr}).stock, h.names, h.startDaemon, h.approve)
	if err != nil {
		return nil, errors.Join(err, h.kill())
	}
	return h, nil
}

// names writes the file that says what the commands ask for.
func (h *runHost) names() error {
	var names strings.Builder
	for i := range 10 {
		fmt.Fprintf(&names, "SECRET_%d=\n", i)
	}
	return os.WriteFile(filepath.Join(h.dir, ".env.example"), []byte(names.String()), 0o600)
}

// command returns a call of the program on this host.
func (h *runHost) command(args ...string) *exec.Cmd {
	cmd := exec.Command(h.bench.cortex, args...)
	cmd.Dir, cmd.Env = h.dir, h.env()
	return cmd
}

func (h *runHost) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "CORTEX_HOME=" + h.dir, "CORTEX_PROJECT=" + project,
		"CORTEX_URL=http://" + h.server.addr, "TERM=xterm", "LANG=C.UTF-8",
	}
}

// login makes the agent's key and logs the host in, as a person at the host and an
// administrator do.
func (h *runHost) login() error {
	key, err := h.command("gen-key", "--agent-id", agentID).Output()
	if err != nil {
		return err
	}
	in := object{"agent_id": agentID, "agent_pub": strings.TrimSpace(string(key))}
	if err := admin(h.server.addr, "POST", "/admin/agents", in, nil); err != nil {
		return err
	}
	cmd := h.command("daemon", "login", "--agent-id", agentID, "--no-browser")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = h.approveLogin(stderr)
	return errors.Join(err, cmd.Wait())
}

var userCode = regexp.MustCompile(`approve the code (\S+) for`)

// approveLogin approves the code that a login shows, and reads until it says no
// more.
func (h *runHost) approveLogin(stderr io.Reader) error {
	s := bufio.NewScanner(stderr)
	for s.Scan() {
		if found := userCode.FindStringSubmatch(s.Text()); found != nil {
			in := object{"user_code": found[1], "agent_id": agentID}
			if err := admin(h.server.addr, "POST", "/admin/web/device/approve", in, nil); err != nil {
				return err
			}
		}
	}
	return s.Err()
}

// startDaemon starts the daemon as people do.
func (h *runHost) startDaemon() error {
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(h.dir, "notify"), Net: "unixgram"})
	if err != nil {
		return err
	}
	defer notify.Close()
	cmd := h.command("daemon")
	cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+filepath.Join(h.dir, "notify"))
	h.daemon = &process{cmd: cmd, log: filepath.Join(h.dir, "daemon.log")}
	if err := h.daemon.start(); err != nil {
		return err
	}
	return h.daemon.await(notify, "X_CORTEX_SOCK=")
}

// approve has a command ask for the secrets, and says yes as the administrator.
func (h *runHost) approve() error {
	if out, err := h.command("run", "true").CombinedOutput(); err == nil {
		return fmt.Errorf("nobody had to approve: %s", out)
	}
	if err := approvePending(h.server.addr); err != nil {
		return err
	}
	if out, err := h.command("run", "true").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}

// stop ends both as a service manager does.
func (h *runHost) stop() error { return errors.Join(h.daemon.stop(), h.server.stop()) }

func (h *runHost) kill() error {
	err := h.server.kill()
	if h.daemon != nil {
		err = errors.Join(err, h.daemon.complaint(), h.daemon.kill())
	}
	return err
}

// below counts the processes that are the daemon's, or theirs.
func (h *runHost) below() (n int, err error) {
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[string]string{}
	for _, stat := range all {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue // it has ended
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		parents[filepath.Base(filepath.Dir(stat))] = fields[1]
	}
	daemon := fmt.Sprint(h.daemon.cmd.Process.Pid)
	for up := range parents {
		for up = parents[up]; up != "" && up != daemon; {
			up = parents[up]
		}
		if up == daemon {
			n++
		}
	}
	return n, err
}
