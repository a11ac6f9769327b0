package e2e_test

import (
	"bytes"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// A process that holds keys ends in order, and prints no stacks, at signals that
// make a Go program print them.
func TestNoStacks(t *testing.T) {
	s := newStage(t)
	server := s.serve()
	s.enrol("bot")
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT} {
		daemon, _ := s.start("cortex-daemon", "X_CORTEX_SOCK")
		daemon.endsQuietly(t, sig)
	}
	server.endsQuietly(t, syscall.SIGQUIT)
	s.serve().endsQuietly(t, syscall.SIGABRT)
}

func (p *process) endsQuietly(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
	if err := p.wait(t); err != nil || strings.Contains(p.output.String(), "goroutine ") {
		t.Errorf("%s, %v: %v\n%s", p.Path, sig, err, p.output)
	}
}

// A signal that comes before there is a command to send it to ends dev, and its
// directory goes away.
func TestDevInterrupted(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGABRT} {
		t.Run(sig.String(), func(t *testing.T) {
			s := newStage(t)
			var stderr bytes.Buffer
			cmd := exec.Command(filepath.Join(bin, "cortex"), "dev", "--set", "A=b", "--", "sleep", "1000")
			cmd.Env, cmd.Dir, cmd.Stderr = s.env, s.dir, &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(s.dir, "cortex-dev-*")
			for deadline := time.Now().Add(patience); !exists(t, dir); {
				if time.Now().After(deadline) {
					t.Fatal("it makes no directory")
				}
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != 128+int(sig) || stderr.String() != "cortex: interrupted\n" {
				t.Errorf("status %d\n%s", code, &stderr)
			}
			if exists(t, dir) {
				t.Error("the directory is still there")
			}
		})
	}
}

func exists(t *testing.T, pattern string) bool {
	t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return len(found) > 0
}

// A verb that is interrupted exits with 128 and the signal's number.
func TestVerbInterrupted(t *testing.T) {
	s := newStage(t)
	s.serve()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT} {
		login := exec.Command(filepath.Join(bin, "cortex"), "daemon", "login", "--agent-id", "bot", "--url", s.url, "--no-browser")
		login.Env, login.Dir = s.env, s.dir
		stderr, err := login.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := login.Start(); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := e2e.ApproveLogin(io.TeeReader(stderr, &text), func(string) { login.Process.Signal(sig) }); err != nil {
			t.Fatal(err)
		}
		login.Wait()
		if code := login.ProcessState.ExitCode(); code != 128+int(sig) || !strings.HasSuffix(text.String(), "\ncortex: interrupted\n") {
			t.Errorf("%v: status %d\n%s", sig, code, &text)
		}
	}
}
