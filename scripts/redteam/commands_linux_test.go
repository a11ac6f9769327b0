package redteam

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// What starts programs has privileges of its own, or is somebody else than they are.
func spawnerPrivileges(t *testing.T, h *host) outcome {
	capable := regexp.MustCompile(`(?m)^Cap(Prm|Eff|Inh|Amb):\s+0*[1-9a-f]`)
	status := func(pid int) string { return string(read(t, fmt.Sprintf("/proc/%d/status", pid))) }
	if !capable.MatchString(status(os.Getpid())) {
		t.Fatal("not even root is seen to have privileges")
	}
	p := h.imprison(t, h.project, h.variable)
	pid := below(t, h, p)
	for _, parent := range lineage(pid) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", parent))
		if ownerOf(parent) != ownerOf(pid) {
			break // what started it from without
		}
		t.Logf("%d %s", parent, name)
		if capable.MatchString(status(parent)) {
			return open
		}
	}
	p.asked()
	return stopped
}

// below returns the process of a prisoner.
func below(t *testing.T, h *host, p *prisoner) int {
	t.Helper()
	for _, pid := range processes() {
		cmdline, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if bytes.HasPrefix(cmdline, []byte("sh\x00-c\x00echo up; read line")) && parentOf(pid) != p.cmd.Process.Pid {
			return pid
		}
	}
	t.Fatal("the command is not there")
	return 0
}

func parentOf(pid int) (parent int) {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nPPid:")
	fmt.Sscan(rest, &parent)
	return parent
}

// lineage returns a process and those above it.
func lineage(pid int) (all []int) {
	for pid > 1 {
		all = append(all, pid)
		pid = parentOf(pid)
	}
	return all
}

// A command kills that of another run.
func endsOther(t *testing.T, h *host) outcome {
	p := h.imprison(t, h.project, h.variable)
	pid := below(t, h, p)
	h.run(t, h.alice, h.project, h.variable, "kill", "-KILL", strconv.Itoa(pid))
	return unless(p.asked() != h.value, stopped)
}

// A command leaves a file at home, which a later one reads.
func leavesFile(t *testing.T, h *host) outcome {
	mark := named("mark")
	for range max(1, len(h.spawners)) + 1 {
		if r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", `echo "$1" > "$HOME/.profile.left"; cat "$HOME/.profile.left"`, "sh", mark); strings.TrimSpace(r.stdout) != mark {
			t.Fatalf("a command cannot write at home: %+v", r)
		}
	}
	r := h.run(t, h.alice, h.project, h.variable, "sh", "-c", `cat "$HOME/.profile.left"`)
	return unless(strings.TrimSpace(r.stdout) == mark, stopped)
}
