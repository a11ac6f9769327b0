package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e/logtest"
)

// A Program is a part of the system that runs as a process of its own.
type Program struct {
	// Cmd is the process; its state is there once Ended is closed.
	Cmd *exec.Cmd
	// Announced is what it said when it was ready.
	Announced string
	// Ended is closed at its end.
	Ended chan struct{}

	log logtest.Log
}

// Launch starts a program by start, which is mostly [exec.Cmd.Start], in
// cmd.Dir, whose name has to be short. It waits until the program says that it is
// ready and announces something under key. Where it is not, the program that has
// ended is returned with the error.
func Launch(start func(*exec.Cmd) error, cmd *exec.Cmd, key string) (*Program, error) {
	addr := &net.UnixAddr{Name: filepath.Join(cmd.Dir, "notify"), Net: "unixgram"}
	notify, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		return nil, err
	}
	defer os.Remove(addr.Name)
	// The program may be another user's.
	if err := os.Chmod(addr.Name, 0o777); err != nil {
		return nil, err
	}
	p := &Program{Cmd: cmd, Ended: make(chan struct{})}
	cmd.Env = append(slices.Clip(cmd.Env), "NOTIFY_SOCKET="+addr.Name)
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if err := start(cmd); err != nil {
		return nil, err
	}
	go func() {
		cmd.Wait()
		notify.Close()
		close(p.Ended)
	}()
	if p.Announced, err = announced(notify, key); err != nil {
		p.Kill()
		return p, fmt.Errorf("%s is not ready: %w\n%s", cmd.Path, err, p.Log())
	}
	return p, nil
}

// announced reads messages until one has key.
func announced(notify *net.UnixConn, key string) (string, error) {
	if err := notify.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	buf := make([]byte, 4096)
	for {
		n, err := notify.Read(buf)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(buf[:n])) {
			if value, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
				return value, nil
			}
		}
	}
}

// Log returns everything that the program has printed so far.
func (p *Program) Log() string { return p.log.String() }

// Kill ends the program at once.
func (p *Program) Kill() {
	p.Cmd.Process.Kill()
	<-p.Ended
}

// Stop ends the program as a service manager does. Anything but an exit status of
// 0 is an error.
func (p *Program) Stop() error {
	p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.Ended:
	case <-time.After(patience):
		return fmt.Errorf("%s does not end", p.Cmd.Path)
	}
	if status := p.Cmd.ProcessState.ExitCode(); status != 0 {
		return fmt.Errorf("%s: exit status %d\n%s", p.Cmd.Path, status, p.Log())
	}
	return nil
}
