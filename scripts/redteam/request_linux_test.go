package redteam

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
)

// What is tried with what a run is asked for, and how.
var requestMoves = map[string]hostMove{
	"example-linked":  exampleLinked,
	"raised-schedule": raisedSchedule,
	"spawner-stopped": spawnerStopped,
}

// A repository brings a link to a file of the user's, a pipe, and a device in the place of
// the file with names.
func exampleLinked(t *testing.T, h *host) outcome {
	project, variable, _, value := h.owned(t)
	own := filepath.Join(h.home(h.alice), named("credentials"))
	if err := errors.Join(os.WriteFile(own, []byte(variable+"=x\n"), 0o600), os.Chown(own, h.alice.uid, h.alice.uid)); err != nil {
		t.Fatal(err)
	}
	command := append([]string{"run", "--project", project, "--"}, told(variable)...)
	for name, bring := range map[string]func(path string) error{
		"a link":   func(path string) error { return os.Symlink(own, path) },
		"a device": func(path string) error { return os.Symlink("/dev/zero", path) },
		"a pipe":   func(path string) error { return errors.Join(unix.Mkfifo(path, 0o666), os.Chmod(path, 0o666)) },
	} {
		for _, file := range []string{".env", ".env.example"} {
			dir := h.repository(t, nil)
			path := filepath.Join(dir, file)
			if err := bring(path); err != nil {
				t.Fatal(err)
			}
			waited := false
			late := time.AfterFunc(patience/6, func() {
				if f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0); err == nil { // somebody reads
					fmt.Fprintln(f, variable+"=")
					f.Close()
				}
			})
			r := h.typed(t, dir, command...)
			waited = !late.Stop()
			if waited || untold(r.stdout) == value {
				t.Logf("%s as %s: %+v", name, file, r)
				return open
			}
			if r.status == 0 || !strings.Contains(r.stderr, "not a plain file") && !strings.Contains(r.stderr, "a link to something else") {
				t.Fatalf("%s as %s: it failed otherwise: %+v", name, file, r)
			}
		}
	}
	if r := h.typed(t, h.repository(t, map[string]string{".env.example": variable + "=\n"}), command...); untold(r.stdout) != value {
		t.Fatalf("a file is not read either: %+v", r)
	}
	return stopped
}

// A process that has a bad schedule asks for a command with the best there is.
func raisedSchedule(t *testing.T, h *host) outcome {
	dir := open777(t)
	const ioBestOfAll = 2 << 13 // of those that nobody needs a privilege for
	request := marshal(ipc.Request{
		Cmd: ipc.CmdRun, V: ipc.Version, FDs: []string{ipc.FileCWD}, Queue: true, Project: h.project, Names: &[]string{h.variable}, Env: ipc.TextList{ipc.Text("PATH=" + os.Getenv("PATH"))},
		Program: "sh", Args: ipc.TextList{"-c", writePID + "exec sleep 1000", "sh", ipc.Text(dir)}, Schedule: &ipc.Schedule{Nice: -20, IO: ioBestOfAll},
	})
	cmd := h.as(t.Context(), h.alice, "nice", "-n", "15", tool(), "park", h.sock, "1", string(request))
	in, _ := pipes(t, cmd)
	defer cmd.Wait()
	defer in.Close()
	pid := settled(t, filepath.Join(dir, "pid"))
	turn := func(pid int) (nice, io int) {
		prio, err := unix.Getpriority(unix.PRIO_PROCESS, pid) // 20 and less the nice value
		level, _, errno := unix.Syscall(unix.SYS_IOPRIO_GET, 1, uintptr(pid), 0)
		if err != nil || errno != 0 {
			t.Fatal(err, errno)
		}
		return 20 - prio, int(level)
	}
	nice, io := turn(pid)
	callers, _ := turn(cmd.Process.Pid)
	daemons, daemonIO := turn(h.daemon.Cmd.Process.Pid)
	t.Logf("nice %d, where the caller has %d and the daemon %d; %#x of the disks, the daemon %#x", nice, callers, daemons, io, daemonIO)
	switch {
	case nice < daemons || io != daemonIO:
		return open
	case nice < callers:
		return limited
	}
	return stopped
}
