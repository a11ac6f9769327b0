package attack

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// commandUsesDaemon has a command of a run ask the daemon for something.
func commandUsesDaemon(ctx context.Context, t *target) (finding, error) {
	return t.connecting(ctx, t.Sock, "the daemon")
}

// spawnerSocks are the sockets of spawners, where the isolated install has them.
func spawnerSocks() (all []string) {
	for _, pattern := range []string{"/run/cortex-spawner.sock", "/run/cortex-spawner/*.sock"} {
		found, _ := filepath.Glob(pattern)
		all = append(all, found...)
	}
	return all
}

func (t *target) connecting(ctx context.Context, sock, who string) (finding, error) {
	o, err := t.inRun(ctx, "connect", sock)
	if o.status == 1 && strings.Contains(o.text(), "refused the connection") {
		return stopped("%s", o.text())
	}
	if err != nil {
		return finding{}, err
	}
	return open("%s answered a command of a run", who)
}

// orders goes to the spawner, as the caller and from a run.
func orders(ctx context.Context, t *target) (finding, error) {
	if !t.Isolated {
		return stopped("there is no spawner")
	}
	socks := spawnerSocks()
	if len(socks) == 0 {
		return untried("no spawner is where it should be")
	}
	conn, err := net.Dial("unix", socks[0])
	if err == nil {
		conn.Close()
		return open("the spawner can be reached")
	}
	f, err := t.connecting(ctx, socks[0], "the spawner")
	if f.outcome == Stopped {
		f.evidence += ", for the caller as for a command"
	}
	return f, err
}

// commandReadsKey has a command of a run read the agent's key.
func commandReadsKey(ctx context.Context, t *target) (finding, error) {
	files, err := filepath.Glob(filepath.Join(t.StateDir, "agent-*.key"))
	if err != nil {
		return finding{}, err
	}
	path := t.StateDir
	if len(files) > 0 {
		path = files[0]
	}
	o, err := t.inRun(ctx, "read", path)
	switch {
	case err != nil:
		return finding{}, err
	case strings.Contains(string(o.stdout), unix.ENOENT.Error()):
		return untried("there is no %s", path)
	case strings.HasPrefix(string(o.stdout), "opened"):
		return open("a command of a run opened %s", path)
	}
	return stopped("the kernel: %s is another user's (%s)", path, strings.TrimSpace(string(o.stdout)))
}

// monitorMemory reads and debugs the monitor, as the caller and from a run.
func monitorMemory(ctx context.Context, t *target) (finding, error) {
	f, err := reading(theMonitor, true, "environ", "maps", "mem", "fd")(ctx, t)
	if err != nil || f.outcome != Stopped {
		return f, err
	}
	o, err := t.inRun(ctx, "debug")
	if err != nil {
		return finding{}, err
	}
	lines := strings.Split(strings.TrimSpace(string(o.stdout)), "\n")
	for _, line := range lines {
		if strings.HasSuffix(line, ": <nil>") {
			return open("%s got hold of the monitor", strings.TrimSuffix(line, ": <nil>"))
		}
	}
	f.evidence += "; so it is for the command that it watches over"
	return f, nil
}

// commandReadsAnother has a command of a run read the values of another one.
func commandReadsAnother(ctx context.Context, t *target) (finding, error) {
	return t.onCommand(ctx, func(v *victim) (finding, error) {
		o, err := t.inRun(ctx, "look", fmt.Sprint(v.command.pid))
		if err != nil {
			return finding{}, err
		}
		for line := range strings.Lines(string(o.stdout)) {
			if fields := strings.Fields(line); len(fields) == 3 && fields[2] == "<nil>" {
				return open("%s of another run's command could be read, its canary: %s", fields[0], fields[1])
			}
		}
		return stopped("the kernel: commands are closed to each other")
	})
}

// privileges looks whether a set-uid program would gain any.
func privileges(ctx context.Context, t *target) (finding, error) {
	o, err := t.inRun(ctx, "privileges")
	switch {
	case err != nil:
		return finding{}, err
	case strings.TrimSpace(string(o.stdout)) == "1":
		return stopped("the kernel: commands have no_new_privs set")
	}
	return open("commands have not renounced privileges: %s", strings.TrimSpace(string(o.stdout)))
}
