package blackbox

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

const (
	adminToken = "blackbox-admin-token-0123456789"
	password   = "blackbox operator password"
	patience   = 60 * time.Second // how long anything awaited may take
)

// A program is a part of the system that runs as a process of its own.
type program struct {
	*e2e.Program
	url string // what it announced
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
	cmd := exec.Command(filepath.Join(bin, name))
	cmd.Dir, cmd.Env = dir, env
	p, err := e2e.Launch((*exec.Cmd).Start, cmd, key)
	if p == nil {
		return nil, err
	}
	return &program{p, p.Announced}, err
}

// stop ends the program as a service manager does.
func (p *program) stop(t *testing.T) {
	t.Helper()
	if err := p.Stop(); err != nil {
		t.Fatal(err)
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
