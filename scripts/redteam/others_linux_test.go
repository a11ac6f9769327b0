package redteam

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What other users of the host try.
var strangers = map[string]hostMove{
	"socket":        usesSocket,
	"others-daemon": othersDaemon,
}

// Somebody connects, and asks the daemon how it is.
func usesSocket(t *testing.T, h *host) outcome {
	if r := finish(t, h.cortex(t, h.alice, "doctor", "--inside", "connect", h.sock)); r.status != 0 {
		t.Fatalf("nobody can: %+v", r)
	}
	r := finish(t, h.cortex(t, h.bob, "doctor", "--inside", "connect", h.sock))
	t.Log(r.stderr)
	return unless(r.status == 0, stopped)
}

// Somebody has alice's launcher use a daemon of his.
func othersDaemon(t *testing.T, h *host) outcome {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	heard := func(who somebody) string {
		sock := filepath.Join(dir, who.name)
		squatter := h.cortex(t, who, "doctor", "--inside", "listen", sock)
		out, err := squatter.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := squatter.Start(); err != nil {
			t.Fatal(err)
		}
		defer squatter.Wait()
		r := bufio.NewReader(out)
		r.ReadString('\n') // it listens
		got := finish(t, h.cortex(t, h.alice, "run", "--canary", "--sock", sock, "--", "true"))
		t.Logf("%s: %s", who.name, got.stderr)
		line, _ := r.ReadString('\n')
		return strings.TrimSpace(line)
	}
	if got := heard(h.alice); got == "heard 0 bytes" {
		t.Fatal("not even her own daemon hears a launcher")
	}
	return unless(heard(h.bob) != "heard 0 bytes", stopped)
}
