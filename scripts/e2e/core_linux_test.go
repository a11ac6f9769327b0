package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const corePattern = "/proc/sys/kernel/core_pattern"

// setCorePattern says where cores go until the test ends.
func setCorePattern(t *testing.T, pattern string) {
	t.Helper()
	old, err := os.ReadFile(corePattern)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(corePattern, []byte(pattern), 0o644); err != nil {
		t.Fatalf("this test has to be root, and to be allowed to set %s: %v", corePattern, err)
	}
	t.Cleanup(func() {
		if err := os.WriteFile(corePattern, old, 0o644); err != nil {
			t.Error(err)
		}
	})
}

// A forced crash leaves no core, neither in a file nor piped into a program.
func TestCrashLeavesNoCore(t *testing.T) {
	for name, pattern := range map[string]func(dir string) string{
		"file": func(dir string) string { return dir + "/core.%p" },
		"pipe": func(dir string) string {
			handler := dir + "/handler"
			text := fmt.Sprintf("#!/bin/sh\ncat > %s/core.\"$1\"\n", dir)
			if err := os.WriteFile(handler, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			return "|" + handler + " %p"
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			cores := filepath.Join(s.dir, "cores")
			if err := os.Mkdir(cores, 0o777); err != nil {
				t.Fatal(err)
			}
			setCorePattern(t, pattern(cores))
			// A process that is not ours shows that cores would be seen here.
			victim := exec.Command("sh", "-c", "ulimit -c unlimited; kill -SEGV $$")
			if err := victim.Run(); err == nil {
				t.Fatal("the process to crash did not")
			}
			if state, ok := victim.ProcessState.Sys().(syscall.WaitStatus); !ok || !state.CoreDump() {
				t.Fatalf("no core of an unprotected process: %v", victim.ProcessState)
			}
			server := s.serve("GOTRACEBACK=crash")
			s.enrol("bot")
			daemon, _ := s.start("cortex-daemon", "X_CORTEX_SOCK", "GOTRACEBACK=crash")
			// Not SIGABRT, at which they end in order. The runtime takes ten seconds:
			// it asks its threads for their stacks by SIGQUIT, and gets none.
			for _, p := range []*process{daemon, server} {
				if err := p.Process.Signal(syscall.SIGTRAP); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range []*process{daemon, server} {
				exit, ok := errors.AsType[*exec.ExitError](p.wait(t))
				if !ok {
					t.Fatal("it did not crash")
				}
				if state := exit.Sys().(syscall.WaitStatus); !state.Signaled() || state.CoreDump() {
					t.Errorf("%s ended with %v", p.Path, exit)
				}
				if found, _ := filepath.Glob(fmt.Sprintf("%s/core.%d", cores, p.Process.Pid)); len(found) > 0 {
					t.Errorf("%s left %s", p.Path, strings.Join(found, ", "))
				}
			}
		})
	}
}

// environ reads a process's environment as its user, root, without the capabilities to
// look into any process.
func environ(pid int) error {
	cat := exec.Command("/bin/cat", fmt.Sprintf("/proc/%d/environ", pid))
	cat.Path, cat.Env = "/proc/self/exe", []string{stripped + "=ptrace"}
	return cat.Run()
}

// The processes are as hard to look into as the system allows.
func TestHardened(t *testing.T) {
	s := newStage(t)
	s.stripping("ptrace") // else they would have more than who looks
	server := s.serve()
	s.enrol("bot")
	daemon, _ := s.start("cortex-daemon", "X_CORTEX_SOCK")
	open := exec.Command("/bin/cat")
	in, inErr := open.StdinPipe()
	out, outErr := open.StdoutPipe()
	if err := errors.Join(inErr, outErr, s.launch(open)); err != nil {
		t.Fatal(err)
	}
	defer open.Wait()
	defer open.Process.Kill()
	in.Write([]byte{0})
	if _, err := out.Read(make([]byte, 1)); err != nil { // now it is there
		t.Fatal(err)
	}
	if err := environ(open.Process.Pid); err != nil {
		t.Fatalf("an ordinary process cannot be looked into here: %v", err)
	}
	for _, p := range []*process{server, daemon} {
		proc := fmt.Sprintf("/proc/%d/", p.Process.Pid)
		status, err := os.ReadFile(proc + "status")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(status), "NoNewPrivs:\t1\n") {
			t.Errorf("%s can gain privileges", p.Path)
		}
		limits, err := os.ReadFile(proc + "limits")
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, "Max core file size"); ok && strings.Join(strings.Fields(rest), " ") != "1 1 bytes" {
				t.Errorf("%s: %s", p.Path, line)
			}
		}
		if err := environ(p.Process.Pid); err == nil {
			t.Errorf("its own user reads the environment of %s", p.Args[0])
		}
	}
}
