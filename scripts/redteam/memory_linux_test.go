package redteam

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root looks for the agent's key in what of the daemon's memory may be swapped.
func swappedKey(t *testing.T, h *host) outcome {
	r := finish(t, h.tool(t, h.own, "seed", h.state, h.agent))
	if r.status != 0 || len(r.stdout) < 32 {
		t.Fatalf("%+v", r)
	}
	seed := []byte(r.stdout)[:32]
	if h.gets(t, h.alice, h.project, h.variable) != h.value {
		t.Fatal("nothing is delivered")
	}
	pid := h.daemon.Cmd.Process.Pid
	if len(inMemory(t, pid, []byte(h.agent), false)) == 0 {
		t.Fatal("not even the agent's name is found in the daemon's memory")
	}
	where := inMemory(t, pid, seed, true)
	if len(where) > 0 {
		t.Logf("the key is in %q", where)
	}
	limits := string(read(t, fmt.Sprintf("/proc/%d/limits", pid)))
	if core := regexp.MustCompile(`Max core file size +([01]) +([01]) `); !core.MatchString(limits) {
		t.Logf("it may dump core: %s", limits)
		return open
	}
	return unless(len(where) > 0, stopped)
}

// root looks for a value in what of a command's memory may be swapped.
func swappedValue(t *testing.T, h *host) outcome {
	p := h.imprison(t, h.project, h.variable)
	defer p.asked()
	return unless(len(inMemory(t, below(t, h, p), []byte(h.value), true)) > 0, stopped)
}

// inMemory returns the parts of a process's memory in which a text is, without
// those that are locked.
func inMemory(t *testing.T, pid int, text []byte, unlocked bool) (where []string) {
	t.Helper()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	part, from, size := "", int64(0), int64(0)
	for line := range strings.Lines(string(read(t, fmt.Sprintf("/proc/%d/smaps", pid)))) {
		var start, end int64
		if n, _ := fmt.Sscanf(line, "%x-%x ", &start, &end); n == 2 {
			part, from, size = strings.TrimSpace(line), start, end-start
			continue
		}
		flags, ok := strings.CutPrefix(line, "VmFlags:")
		if !ok || unlocked && strings.Contains(flags, " lo ") || size > 1<<30 || !strings.Contains(part, " r") {
			continue
		}
		buf := make([]byte, size)
		n, _ := mem.ReadAt(buf, from)
		if bytes.Contains(buf[:n], text) {
			where = append(where, part)
		}
	}
	return where
}

// root reads a command's environment, and the agent's key.
func hostRoot(t *testing.T, h *host) outcome {
	p := h.imprison(t, h.project, h.variable)
	defer p.asked()
	environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", below(t, h, p)))
	key, keyErr := os.ReadFile(filepath.Join(h.state, "agent-"+h.agent+".key"))
	return unless(err == nil && keyErr == nil && len(key) > 0 && bytes.Contains(environ, []byte(h.value)), stopped)
}
