package redteam

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// An activated is a socket for whose first connection a spawner is started, and for
// the next one another, as systemd does it for the units.
type activated struct {
	uid  int
	sock string
	home string

	l    *os.File
	stop *os.File
	wg   sync.WaitGroup

	notify string // where the spawner says that it goes on

	mu    sync.Mutex // guards what follows
	cmd   *exec.Cmd
	began time.Time // when it was started; zero while it does not run
}

// activate makes so many of them.
func (h *host) activate(t *testing.T, n int) (all []*activated) {
	t.Helper()
	dir := "/run/cortex-spawner"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		a := &activated{uid: runner1 + i, sock: filepath.Join(dir, strconv.Itoa(i+1)+".sock"), home: filepath.Join(h.dir, "run-"+strconv.Itoa(i+1))}
		if err := errors.Join(os.Mkdir(a.home, 0o700), os.Chown(a.home, a.uid, a.uid)); err != nil {
			t.Fatal(err)
		}
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.sock, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		a.l, err = l.File()
		l.Close()
		if err := errors.Join(err, os.Chown(a.sock, h.own.uid, 0), os.Chmod(a.sock, 0o600)); err != nil {
			t.Fatal(err)
		}
		stopped, stop, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		a.stop = stop
		a.watch(t)
		a.wg.Go(func() { a.serve(stopped) })
		t.Cleanup(a.end)
		all = append(all, a)
	}
	return all
}

// serve starts a spawner for each connection that waits.
func (a *activated) serve(stopped *os.File) {
	defer stopped.Close()
	for {
		fds := []unix.PollFd{{Fd: int32(a.l.Fd()), Events: unix.POLLIN}, {Fd: int32(stopped.Fd()), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		if fds[1].Revents != 0 {
			return
		}
		if fds[0].Revents == 0 {
			continue
		}
		cmd := a.spawner(daemonName, a.home)
		if cmd.Start() != nil {
			return
		}
		a.mu.Lock()
		a.cmd, a.began = cmd, time.Now()
		a.mu.Unlock()
		cmd.Wait()
		a.mu.Lock()
		a.began = time.Time{}
		a.mu.Unlock()
		a.spawner("--clear", a.home).Run()
	}
}

// spawner returns one with the arguments of its unit.
func (a *activated) spawner(args ...string) *exec.Cmd {
	// The socket is for the process with that id.
	cmd := exec.Command("/bin/bash", append([]string{"-c", `LISTEN_PID=$$ exec -a cortex-spawner "$EXE" "$@"`, "bash"}, args...)...)
	cmd.Env = []string{"LISTEN_FDS=1", "HOME=" + a.home, "USER=runner", "PATH=/usr/bin:/bin", "TMPDIR=" + a.home + "/tmp", "EXE=" + filepath.Join(bin, "cortex"), "NOTIFY_SOCKET=" + a.notify, fmt.Sprintf("WATCHDOG_USEC=%d", silence.Microseconds())}
	cmd.ExtraFiles, cmd.Dir = []*os.File{a.l}, a.home
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.uid)}}
	return cmd
}

// end ends it, with its spawner.
func (a *activated) end() {
	a.stop.Close()
	a.mu.Lock()
	if a.cmd != nil {
		a.cmd.Process.Signal(unix.SIGTERM)
	}
	a.mu.Unlock()
	a.wg.Wait()
	a.l.Close()
	os.Remove(a.sock)
	os.Remove(a.notify)
}
