package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// strip becomes the program that os.Args names, without what it is to be stripped of:
// "ptrace" and "lock", the capabilities to look into processes and to lock memory
// beyond the limit, which is 0 then, and "prctl", which cannot set anything that
// protects a process.
func strip() error {
	runtime.LockOSThread()
	words := strings.Split(os.Getenv(stripped), ",")
	os.Unsetenv(stripped)
	if slices.Contains(words, "ptrace") {
		for _, capability := range []uintptr{unix.CAP_SYS_PTRACE, unix.CAP_PERFMON, unix.CAP_SYS_ADMIN} {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, capability, 0, 0, 0); err != nil {
				return err
			}
		}
	}
	if slices.Contains(words, "lock") {
		if err := errors.Join(unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0), unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{})); err != nil {
			return err
		}
	}
	if slices.Contains(words, "prctl") {
		if err := refusePrctl(unix.PR_SET_DUMPABLE, unix.PR_SET_NO_NEW_PRIVS, unix.PR_SET_CHILD_SUBREAPER); err != nil {
			return err
		}
	}
	return syscall.Exec(os.Args[0], os.Args, os.Environ())
}

// refusePrctl has these calls fail, from the next program on.
func refusePrctl(options ...uint32) error {
	const number, first = 0, 16 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	// jump goes on with the next if the loaded is k, and skips so many if not.
	jump := func(k uint32, skip int) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: k, Jf: uint8(skip)}
	}
	ret := func(k uint32) unix.SockFilter { return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: k} }
	const allow, fail = 0x7fff0000, 0x00050000
	program := []unix.SockFilter{load(number), jump(unix.SYS_PRCTL, 1+2*len(options)), load(first)}
	for _, o := range options {
		program = append(program, jump(o, 1), ret(fail|uint32(unix.EPERM)))
	}
	program = append(program, ret(allow))
	filter := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&filter)), 0, 0)
}

// stripping has a stage's parts started without what is listed.
func (s *stage) stripping(words string) {
	s.launch = func(cmd *exec.Cmd) error {
		cmd.Env = append(cmd.Env, stripped+"="+words)
		cmd.Path = "/proc/self/exe"
		return cmd.Start()
	}
}

// What could not be had is said at the start, and counted by status and doctor.
func TestBare(t *testing.T) {
	need.Root(t, "have less than others")
	s := newStage(t)
	s.serve()
	s.enrol("bot")
	s.stripping("lock,prctl")
	daemon, _ := s.start("cortex-daemon", "X_CORTEX_SOCK")
	if _, stderr, err := s.run("cortex-cli", "run", "--canary", "--", "true"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	out, _, err := s.run("cortex-cli", "daemon", "status", "--json")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var status struct {
		Hardening []struct {
			Name, Detail string
			OK           bool
		}
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"not dumpable": "operation not permitted", "no new privileges": "operation not permitted", "locked memory": "locking: operation not permitted",
		"monitors": "adopting orphans, not dumpable, no new privileges",
	}
	doctor, _, _ := s.run("cortex-cli", "doctor") // which fails for other reasons, if at all
	for name, detail := range want {
		found := false
		for _, m := range status.Hardening {
			found = found || m.Name == name && !m.OK && strings.Contains(m.Detail, detail)
		}
		if !found {
			t.Errorf("status does not say that %q is missing:\n%s", name, out)
		}
		if _, after, told := strings.Cut(doctor, fmt.Sprintf("the daemon lacks %q", name)); !told || !strings.HasPrefix(strings.TrimSpace(strings.SplitAfterN(after+"\n\n", "\n", 3)[1]), "→ ") {
			t.Errorf("doctor does not say that %q is missing:\n%s", name, doctor)
		}
	}
	daemon.Process.Signal(syscall.SIGTERM)
	daemon.wait(t)
	for _, name := range []string{"not dumpable", "no new privileges", "locked memory"} {
		if !strings.Contains(daemon.output.String(), fmt.Sprintf(`msg="a protection is missing" measure=%q`, name)) {
			t.Errorf("the start does not say that %q is missing:\n%s", name, daemon.output)
		}
	}
}

// A program that may more than whoever starts it does nothing.
func TestRaised(t *testing.T) {
	need.Root(t, "give privileges to a file")
	program, err := os.ReadFile(filepath.Join(bin, "cortex"))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "raised-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "cortex")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, program, 0o755)); err != nil {
		t.Fatal(err)
	}
	// CAP_NET_BIND_SERVICE, permitted and effective, in the form of version 2.
	capability := []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, row := range []struct {
		name string
		give func() error
		want bool
	}{
		{"ordinary", func() error { return nil }, false},
		{"set-user-id", func() error { return os.Chmod(path, 0o755|os.ModeSetuid) }, true},
		{"set-group-id", func() error { return os.Chmod(path, 0o755|os.ModeSetgid) }, true},
		{"with a capability", func() error {
			return errors.Join(os.Chmod(path, 0o755), unix.Setxattr(path, "security.capability", capability, 0))
		}, true},
	} {
		if err := row.give(); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"cortex", "cortex-monitor"} {
			cmd := &exec.Cmd{Path: path, Args: []string{name, "--version"}, Dir: "/", Env: []string{}}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
			out, err := cmd.CombinedOutput()
			if got := strings.Contains(string(out), "refusing to run with more privileges"); got != row.want || got && cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("%s, as %s: %v, %s", row.name, name, err, out)
			}
		}
	}
}
