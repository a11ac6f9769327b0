package redteam

import (
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// silence is how long systemd waits for word of a spawner, as its unit has it.
const silence = 15 * time.Second

// watch ends all that a user runs once the spawner has said nothing for too long, as systemd
// does it for the units: the word of nobody else counts.
func (a *activated) watch(t *testing.T) {
	t.Helper()
	a.notify = filepath.Join("/run/cortex-spawner", strings.TrimSuffix(filepath.Base(a.sock), ".sock")+".notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: a.notify, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := conn.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			err = errors.Join(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1), unix.Chmod(a.notify, 0o666))
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go a.listen(conn)
}

func (a *activated) listen(conn *net.UnixConn) {
	oob, heard := make([]byte, 256), time.Now()
	for {
		conn.SetReadDeadline(time.Now().Add(time.Second))
		n, oobn, _, _, err := conn.ReadMsgUnix(make([]byte, 4096), oob)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		pid, began := a.running()
		if err == nil && n > 0 && saidBy(oob[:oobn]) == pid || began.After(heard) {
			heard = time.Now()
		}
		if pid != 0 && time.Since(heard) > silence {
			killAllOf(a.uid)
		}
	}
}

func killAllOf(uid int) {
	for _, pid := range processes() {
		if ownerOf(pid) == uid {
			unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// running returns the process of the spawner, 0 for none, and since when it is there.
func (a *activated) running() (pid int, began time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.began.IsZero() {
		return 0, time.Time{}
	}
	return a.cmd.Process.Pid, a.began
}

// saidBy returns the process that has sent a message, 0 if the kernel does not say.
func saidBy(oob []byte) int {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0
	}
	for i := range messages {
		if who, err := unix.ParseUnixCredentials(&messages[i]); err == nil {
			return int(who.Pid)
		}
	}
	return 0
}

// A command stops what watches over it, and what has started that, and its launcher is
// killed.
func spawnerStopped(t *testing.T, h *host) outcome {
	if len(h.spawners) == 0 {
		return stopped // there is none
	}
	defer h.again(t)
	dir := open777(t)
	cmd := h.launcher(t, h.alice, h.project, h.variable, "sh", "-c", `
		spawner=$(sed -n "s/^PPid:\t//p" /proc/$PPID/status); cat /proc/$spawner/comm >&2
		kill -STOP $spawner $PPID; `+writePID+`exec sleep 1000`, "sh", dir)
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := settled(t, filepath.Join(dir, "pid"))
	began := time.Now()
	cmd.Process.Kill()
	defer cmd.Wait() // which also waits for who has its standard error
	for end := began.Add(2 * silence); lives(pid); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			killAllOf(ownerOf(pid))
			return open
		}
	}
	t.Logf("it went on for %v", time.Since(began))
	if time.Since(began) > time.Second {
		return limited
	}
	return stopped
}
