package redteam

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/server/servertest"
)

var sealedMoves = moves{"sealed": sealed}

// sealed asks a vault whose password nobody has given yet, and one that was sealed.
func sealed(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	_, id, value := s.secret(t)
	reach := func() servertest.Answer { return s.TryAdmin(t, http.MethodGet, "/admin/secrets/"+id, nil) }
	if !strings.Contains(string(reach().Body), value) {
		t.Fatal("it is not reached while it is open either")
	}
	ok(t, s.TryAdmin(t, http.MethodPost, "/sys/seal", nil))
	if a := reach(); a.Status != http.StatusServiceUnavailable {
		return open
	}
	s.program.Kill()

	port := strconv.Itoa(free(t))
	cmd := exec.Command(filepath.Join(bin, "cortex-server"))
	cmd.Dir, cmd.Env = s.dir, append(without(s.env, "CORTEX_KEK_PASSWORD"), "PORT="+port)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	reached := make(chan bool, 1)
	program, err := e2e.Launch(func(cmd *exec.Cmd) error {
		if err := cmd.Start(); err != nil {
			return err
		}
		awaitRead(t, cmd.Process.Pid)
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		reached <- err == nil
		_, err = fmt.Fprintln(stdin, s.password)
		return err
	}, cmd, "X_CORTEX_URL")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(program.Kill)
	s.URL = program.Announced
	if !strings.Contains(string(reach().Body), value) {
		t.Fatal("with the password it is not reached either")
	}
	return unless(<-reached, stopped)
}

// free returns a port that nobody listens at.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// awaitRead waits until a process waits for its standard input.
func awaitRead(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, task := range tasks {
			if text, err := os.ReadFile(task); err == nil && strings.HasPrefix(string(text), "0 0x0 ") {
				return
			}
		}
	}
	t.Error("the server does not ask for its password")
}
