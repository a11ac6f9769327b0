package blackbox

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	adminToken = "blackbox-admin-token-0123456789"
	password   = "blackbox operator password"
	patience   = 60 * time.Second // how long anything awaited may take
)

// A program is a part of the system that runs as a process of its own.
type program struct {
	url   string // what it announced
	cmd   *exec.Cmd
	log   bytes.Buffer
	ended chan struct{} // closed at its end; then log is whole
}

// environment returns what a server of this mode is started with. The tests
// stand behind a proxy, so that each may be a source of its own.
func (m *mode) environment(dir string) []string {
	env := []string{
		"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "DATABASE_URL=bolt://" + filepath.Join(dir, "vault.db"),
		"CORTEX_KEK_PASSWORD=" + password, "ADMIN_TOKEN=" + adminToken, "PORT=0", "INSECURE_HTTP=1", "CORTEX_KDF_PROFILE=low",
		"CORTEX_TRUSTED_PROXIES=127.0.0.1", "CORTEX_RATE_LIMITS=logins=1000/1m",
	}
	if !m.attested {
		env = append(env, "CORTEX_DISABLE_REQUEST_SIGNING=1")
	}
	return env
}

// launch starts the program of a name in dir and waits until it says that it is
// ready, and announces something under key.
func launch(dir, name, key string, env []string) (*program, error) {
	addr := &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"}
	notify, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		return nil, err
	}
	defer os.Remove(addr.Name)
	p := &program{cmd: exec.Command(filepath.Join(bin, name)), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Env = dir, append(env, "NOTIFY_SOCKET="+addr.Name)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.cmd.Wait()
		notify.Close()
		close(p.ended)
	}()
	if p.url, err = announced(notify, key); err != nil {
		p.kill()
		return p, fmt.Errorf("%s is not ready: %w\n%s", name, err, &p.log)
	}
	return p, nil
}

// announced reads messages until one has key.
func announced(notify *net.UnixConn, key string) (string, error) {
	notify.SetReadDeadline(time.Now().Add(patience))
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

// kill ends the program at once.
func (p *program) kill() {
	p.cmd.Process.Kill()
	<-p.ended
}

// stop ends the program as a service manager does.
func (p *program) stop(t *testing.T) {
	t.Helper()
	p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(patience):
		t.Fatal("the program does not end")
	}
	if status := p.cmd.ProcessState.ExitCode(); status != 0 {
		t.Fatalf("exit status %d\n%s", status, &p.log)
	}
}

// shortDir returns a directory whose name fits into a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bb-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
