package spawn

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// owner returns whose a process's files are in /proc: root's if it is not dumpable,
// and else its own user's.
func owner(t *testing.T, pid int) uint32 {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(fmt.Sprintf("/proc/%d/environ", pid), &st); err != nil {
		t.Fatal(err)
	}
	return st.Uid
}

// childOf returns the one child of a process.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, stat := range stats {
		if fields := statFields(stat); len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
			if err != nil {
				t.Fatal(err)
			}
			return child
		}
	}
	t.Fatal("no child of ", pid)
	return 0
}

// Monitors have needles, and children secrets: other programs of their user cannot
// look into them. Whose their files are does not show it of root's, so that this is
// somebody else's test.
func TestHidden(t *testing.T) {
	if os.Getuid() == 0 {
		cmd := exec.Command(executableCopy(t), "-test.run=^TestHidden$", "-test.v")
		cmd.Dir, cmd.Env = "/", []string{"PATH=" + os.Getenv("PATH")}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestHidden") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	me := uint32(os.Getuid())
	s := newStage(t)
	run, out := s.start(s.spec("sh", "-c", "echo begun; read forever < /dev/null; sleep 1000"))
	defer run.Kill()
	waitLine(t, out, "begun")
	monitor := run.monitor.(*ward).cmd.Process.Pid
	if got := owner(t, childOf(t, monitor)); got != me {
		t.Fatalf("the program is uid %d's: this shows nothing here", got)
	}
	if got := owner(t, monitor); got != 0 {
		t.Errorf("a monitor is uid %d's to look into", got)
	}

	// More than the socket holds is written when the child has begun to read it.
	r, err := s.take(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Kill()
	dir, err := os.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := r.spec.SetWriteBuffer(4096); err != nil {
		t.Fatal(err)
	}
	part := binary.BigEndian.AppendUint32(nil, maxSpec)
	if _, _, err := r.spec.WriteMsgUnix(part, unix.UnixRights(int(dir.Fd())), nil); err != nil {
		t.Fatal(err)
	}
	if _, err := r.spec.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if got := owner(t, childOf(t, r.monitor.(*ward).cmd.Process.Pid)); got != 0 {
		t.Errorf("a child that waits for secrets is uid %d's to look into", got)
	}
	r.unused()
	if m := s.Protection(); !m.OK {
		t.Error(m)
	}
}

// A monitor that is told to load foreign code does not begin, and neither does a
// spawner.
func TestForeignCode(t *testing.T) {
	for _, args := range [][]string{{Name}, {Name, roleChild}, {SpawnerName, "root"}} {
		cmd := &exec.Cmd{Path: "/proc/self/exe", Args: args, Env: []string{"LD_PRELOAD=/nonexistent/hook.so"}}
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(string(out), "loads foreign code into programs: LD_PRELOAD") {
			t.Errorf("%q: %v, %s", args, err, out)
		}
	}
}
