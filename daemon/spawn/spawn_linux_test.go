package spawn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) { // os.Exit would wait a second for the race detector
	case Name:
		syscall.Exit(Monitor())
	case SpawnerName:
		syscall.Exit(Spawner())
	}
	os.Exit(m.Run())
}

// A stage starts programs in a directory.
type stage struct {
	*Starter
	t   *testing.T
	dir string
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{NewStarter(false), t, t.TempDir()}
	t.Cleanup(s.Close)
	return s
}

// spec returns what runs a command in the stage's directory.
func (s *stage) spec(command ...string) Spec {
	s.t.Helper()
	dir, err := os.Open(s.dir)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { dir.Close() })
	return Spec{
		Program: command[0], Args: command[1:], Umask: -1, Dir: dir,
		Env: []string{"PATH=" + os.Getenv("PATH")},
	}
}

// pipe returns both ends of a pipe.
func pipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Close()
		w.Close()
	})
	return r, w
}

// start starts a program whose standard output it returns. Reading that to its
// end waits for everything that holds it.
func (s *stage) start(spec Spec) (*Run, *os.File) {
	s.t.Helper()
	r, w := pipe(s.t)
	spec.Streams[1] = w
	run, err := s.Start(s.t.Context(), spec)
	if err != nil {
		s.t.Fatal(err)
	}
	w.Close()
	return run, r
}

func exit(t *testing.T, r *Run) int {
	t.Helper()
	<-r.Done()
	e, err := r.Exit()
	if err != nil {
		t.Fatal(err)
	}
	return e.Status()
}

// output runs a program to its end.
func (s *stage) output(spec Spec) (string, int) {
	s.t.Helper()
	run, out := s.start(spec)
	text, err := io.ReadAll(out)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text), exit(s.t, run)
}

func (s *stage) write(name, content string, mode os.FileMode) {
	s.t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		s.t.Fatal(err)
	}
}

// waitLine reads until a line is there.
func waitLine(t *testing.T, r io.Reader, want string) {
	t.Helper()
	var got []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(got, []byte("\n")) {
		if _, err := r.Read(b); err != nil {
			t.Fatalf("got %q: %v", got, err)
		}
		got = append(got, b...)
	}
	if string(got) != want+"\n" {
		t.Fatalf("got %q, want %q", got, want)
	}
}

func TestExitStatus(t *testing.T) {
	s := newStage(t)
	s.write("script", "exit 5\n", 0o755)
	for _, row := range []struct {
		command []string
		status  int
	}{
		{[]string{"true"}, 0},
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "exit 255"}, 255},
		{[]string{"sh", "-c", "kill -TERM $$"}, 143},
		{[]string{"sh", "-c", "kill -KILL $$"}, 137},
		{[]string{"/bin/sh", "-c", "exit 3"}, 3},
		{[]string{"./script"}, 5},
	} {
		if _, status := s.output(s.spec(row.command...)); status != row.status {
			t.Errorf("%q: status %d, want %d", row.command, status, row.status)
		}
	}
}

func TestNotStarted(t *testing.T) {
	s := newStage(t)
	s.write("plain", "#!/bin/sh\n", 0o644)
	s.write("orphan", "#!/no/such/interpreter\n", 0o755)
	s.write("bin/here", "", 0o644)
	for _, row := range []struct {
		program string
		status  int
		text    string
	}{
		{"no-such-program", 127, "no-such-program: command not found"},
		{"./no-such-program", 127, "./no-such-program: no such file or directory"},
		{"plain/below", 127, "plain/below: no such file or directory"},
		{"./plain", 126, "./plain: permission denied"},
		{"./bin", 126, "./bin: is a directory"},
		{"here", 126, "here: permission denied"},
		{"./orphan", 127, "./orphan: its interpreter is missing"},
	} {
		spec := s.spec(row.program)
		spec.Env = []string{"PATH=/bin:bin:/no/such"}
		_, err := s.Start(t.Context(), spec)
		e, ok := errors.AsType[*StartError](err)
		if !ok || e.Status != row.status || e.Text != row.text {
			t.Errorf("%s: %#v", row.program, err)
		}
	}
	for _, spec := range []Spec{
		s.spec(""), s.spec("a\x00b"), s.spec("a", "b\x00"),
		{Program: "a", Env: []string{"A=\x00"}},
		{Program: "a", Secrets: []Secret{{"", opaque.New(nil)}}},
		{Program: "a", Secrets: []Secret{{"A=B", opaque.New(nil)}}},
		{Program: "a", Files: []Secret{{"A=B", opaque.New(nil)}}},
		{Program: "a", Secrets: []Secret{{"A", opaque.New([]byte("secret\x00value"))}}},
		s.spec("a", strings.Repeat("x", maxSpec)),
	} {
		if _, err := s.Start(t.Context(), spec); !errors.Is(err, ErrSpec) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%.20q: %v", spec.Program, err)
		}
	}
	// What is too long for the system is as little started.
	if _, err := s.Start(t.Context(), s.spec("true", strings.Repeat("x", 4<<20))); err == nil || !strings.Contains(err.Error(), "argument list too long") {
		t.Error(err)
	}
}

func TestSurroundings(t *testing.T) {
	s := newStage(t)
	s.dir = filepath.Join(s.dir, "a place")
	s.write("bin/hello", "#!/bin/sh\necho hello from bin\n", 0o755)

	got, _ := s.output(s.spec("pwd"))
	if want, _ := filepath.EvalSymlinks(s.dir); got != want+"\n" {
		t.Errorf("in %q, want %q", got, want)
	}
	// PATH is the caller's, and relative parts of it begin in the directory.
	spec := s.spec("hello")
	spec.Env = []string{"PATH=/no/such:bin:/bin"}
	if got, _ := s.output(spec); got != "hello from bin\n" {
		t.Errorf("got %q", got)
	}
	spec = s.spec("sh", "-c", "umask; ulimit -n; ulimit -c; ulimit -v")
	spec.Umask = 0o027
	spec.Limits = []ipc.Limit{
		{Resource: unix.RLIMIT_NOFILE, Soft: 100, Hard: 200},
		{Resource: unix.RLIMIT_CORE},
		{Resource: unix.RLIMIT_AS, Soft: 512 << 20, Hard: 1 << 62},
		{Resource: 31, Soft: 1, Hard: 1},
	}
	if got, status := s.output(spec); got != "0027\n100\n0\n524288\n" {
		t.Errorf("got %q, status %d", got, status)
	}
}

func TestEnvironment(t *testing.T) {
	s := newStage(t)
	spec := s.spec("/usr/bin/env")
	spec.Env = []string{"A=1", "KEY=the caller's", "B=with = and \xff", "KEY=again"}
	value := []byte("sk-\xff secret\nof two lines")
	spec.Secrets = []Secret{{"KEY", opaque.New(value)}, {"EMPTY", opaque.New(nil)}}
	got, _ := s.output(spec)
	if got != "A=1\nB=with = and \xff\nKEY=sk-\xff secret\nof two lines\nEMPTY=\n" {
		t.Errorf("got %q", got)
	}
	if string(value) != "sk-\xff secret\nof two lines" {
		t.Error("the caller's copy was wiped: that is for the caller to do")
	}
}

func TestStreams(t *testing.T) {
	s := newStage(t)
	inR, inW := pipe(t)
	errR, errW := pipe(t)
	spec := s.spec("sh", "-c", "tr a-z A-Z; echo complaint >&2; exit 2")
	spec.Streams[0], spec.Streams[2] = inR, errW
	run, out := s.start(spec)
	inR.Close()
	errW.Close()
	io.WriteString(inW, "some text")
	inW.Close()
	stdout, _ := io.ReadAll(out)
	stderr, _ := io.ReadAll(errR)
	if string(stdout) != "SOME TEXT" || string(stderr) != "complaint\n" || exit(t, run) != 2 {
		t.Errorf("stdout %q, stderr %q", stdout, stderr)
	}
	// Without streams there is /dev/null, and not the daemon's.
	if got, _ := s.output(s.spec("sh", "-c", "cat; readlink /proc/self/fd/0 /proc/self/fd/2")); got != "/dev/null\n/dev/null\n" {
		t.Errorf("got %q", got)
	}
}

func TestNothingIsInherited(t *testing.T) {
	// A descriptor that whoever started the daemon left open, and signals that
	// it ignored.
	stray, err := unix.Open("/dev/zero", unix.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(stray)
	s := newStage(t)
	got, _ := s.output(s.spec("sh", "-c", "for f in /proc/$$/fd/*; do readlink $f; done"))
	for line := range strings.Lines(got) {
		if line = strings.TrimSpace(line); line != "/dev/null" && !strings.HasPrefix(line, "pipe:") {
			t.Errorf("inherited %s", line)
		}
	}
	got, _ = s.output(s.spec("cat", "/proc/self/status"))
	for _, want := range []string{"SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000", "SigPnd:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// Who has no terminal has no controlling one either.
func TestNoTerminal(t *testing.T) {
	s := newStage(t)
	for range 10 {
		if got, _ := s.output(s.spec("sh", "-c", "(: < /dev/tty) 2>/dev/null || echo none; ps -o tty= -p $$")); strings.TrimSpace(got) != "none\n?" {
			t.Fatalf("%q", got)
		}
	}
}

// All that can be ignored, but for 32 to 34, which the runtime keeps.
func TestIgnoredSignalsComeBack(t *testing.T) {
	if os.Getenv("SPAWN_TEST_IGNORED") != "" {
		s := newStage(t)
		got, _ := s.output(s.spec("grep", "SigIgn", "/proc/self/status"))
		fmt.Print("got " + got)
		return
	}
	s := newStage(t)
	spec := s.spec("sh", "-c", `trap "" $(seq 1 8) $(seq 10 18) $(seq 20 31) $(seq 35 64); exec "$0" -test.run='^TestIgnoredSignalsComeBack$'`, "/proc/"+fmt.Sprint(os.Getpid())+"/exe")
	spec.Env = append(spec.Env, "SPAWN_TEST_IGNORED=1", "TMPDIR="+t.TempDir())
	if got, _ := s.output(spec); !strings.Contains(got, "got SigIgn:\t0000000000000000\n") {
		t.Errorf("got %q", got)
	}
}

func TestSignals(t *testing.T) {
	s := newStage(t)
	// The terminal's signals go to everybody, others to the program alone.
	for _, row := range []struct {
		signal syscall.Signal
		script string
		status int
	}{
		{unix.SIGHUP, `trap "echo parent; wait; exit 3" HUP; sh -c 'trap "echo child; exit" HUP; echo up; while :; do sleep 1000 & wait $!; done' & wait`, 3},
		{unix.SIGTERM, `trap 'echo parent; kill $!; wait; exit 4' TERM; sh -c 'trap "echo child; exit" TERM; echo up; while :; do sleep 1000 & wait $!; done' & wait`, 4},
	} {
		run, out := s.start(s.spec("sh", "-c", row.script))
		waitLine(t, out, "up")
		if err := run.Signal(row.signal); err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(out)
		if status := exit(t, run); status != row.status || !strings.Contains(string(text), "parent\n") || !strings.Contains(string(text), "child\n") {
			t.Errorf("%v: status %d, output %q", row.signal, status, text)
		}
	}
	run, out := s.start(s.spec("sh", "-c", "echo up; exec sleep 1000"))
	waitLine(t, out, "up")
	run.Signal(unix.SIGTERM)
	if status := exit(t, run); status != 143 {
		t.Errorf("status %d", status)
	}
	if err := run.Signal(unix.SIGTERM); err != nil {
		t.Errorf("signalling what has ended: %v", err)
	}
	if err := run.Signal(300); err == nil {
		t.Error("signal 300 was sent")
	}
}

func TestStopAndContinue(t *testing.T) {
	s := newStage(t)
	run, out := s.start(s.spec("sh", "-c", "echo up; kill -TSTP $$; echo on; exit 9"))
	waitLine(t, out, "up")
	if sig := <-run.Stopped(); sig != unix.SIGTSTP {
		t.Errorf("stopped by %v", sig)
	}
	run.Signal(unix.SIGCONT)
	waitLine(t, out, "on")
	if status := exit(t, run); status != 9 {
		t.Errorf("status %d", status)
	}

	run, out = s.start(s.spec("sh", "-c", "echo up; exec sleep 1000"))
	waitLine(t, out, "up")
	run.Signal(unix.SIGTSTP)
	if sig := <-run.Stopped(); sig != unix.SIGTSTP {
		t.Errorf("stopped by %v", sig)
	}
	run.Kill() // also what is stopped
	if status := exit(t, run); status != 137 {
		t.Errorf("status %d", status)
	}
}

// family leaves processes behind in every way there is. All of them hold the
// standard output open.
const family = `
sleep 1000 &
setsid sleep 1000 &
(setsid sh -c 'sleep 1000 & (setsid sleep 1000 &)' &)
sh -c 'trap "" TERM INT HUP; sleep 1000' &
(sh -c 'kill -STOP $$' &)
echo up
`

func TestNothingIsLeft(t *testing.T) {
	s := newStage(t)
	t.Run("when it ends", func(t *testing.T) {
		run, out := s.start(s.spec("sh", "-c", family+"exit 6"))
		waitLine(t, out, "up")
		if status := exit(t, run); status != 6 {
			t.Errorf("status %d", status)
		}
		closed(t, out)
	})
	t.Run("when it is killed", func(t *testing.T) {
		run, out := s.start(s.spec("sh", "-c", family+"wait"))
		waitLine(t, out, "up")
		run.Kill()
		if status := exit(t, run); status != 137 {
			t.Errorf("status %d", status)
		}
		closed(t, out)
	})
	t.Run("when the daemon dies", func(t *testing.T) {
		run, out := s.start(s.spec("sh", "-c", family+"wait"))
		waitLine(t, out, "up")
		run.control.Close() // all that the death of its process would be
		io.Copy(io.Discard, out)
		<-run.Done()
	})
	t.Run("when the monitor is told to end", func(t *testing.T) {
		run, out := s.start(s.spec("sh", "-c", family+"wait"))
		waitLine(t, out, "up")
		run.monitor.(*ward).cmd.Process.Signal(unix.SIGTERM)
		if status := exit(t, run); status != 137 {
			t.Errorf("status %d", status)
		}
		closed(t, out)
	})
	t.Run("of something that multiplies", func(t *testing.T) {
		run, out := s.start(s.spec("sh", "-c", `f() { sh -c 'echo $$ > /dev/null' & (setsid sleep 1000 &); }; i=0; while [ $i -lt 30 ]; do f; i=$((i+1)); done; echo up; while :; do f; wait $!; done`))
		waitLine(t, out, "up")
		run.Kill()
		exit(t, run)
		closed(t, out)
	})
}

// closed fails the test unless everybody has let go of the pipe by now.
func closed(t *testing.T, r *os.File) {
	t.Helper()
	raw, err := r.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 4096)
	readErr := raw.Read(func(fd uintptr) bool {
		n := 1
		for n > 0 {
			n, err = unix.Read(int(fd), b)
		}
		return true
	})
	if err = errors.Join(err, readErr); err != nil {
		t.Errorf("somebody is left: %v", err)
	}
}

// Processes that fork and exit, so that none of them is there for long, are killed all the
// same, when the program ends.
func TestForksAreOutrun(t *testing.T) {
	s := newStage(t)
	s.write("chain", "#!/bin/sh\n[ $1 -lt 50000 ] && exec ./chain $(($1 + 1)) &\n", 0o755)
	spec := s.spec("sh", "-c", `for n in 1 2 3 4 5 6 7 8; do ./chain 0; done; exit 3`)
	run, err := s.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-run.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("some are left")
	}
	if status := exit(t, run); status != 3 {
		t.Errorf("status %d", status)
	}
}

func TestMonitorKilled(t *testing.T) {
	s := newStage(t)
	run, out := s.start(s.spec("sh", "-c", `sleep 1000 & (sleep 1000 &); sh -c 'trap "" TERM HUP; sleep 1000' & echo up; wait`))
	waitLine(t, out, "up")
	run.monitor.kill()
	<-run.Done()
	if _, err := run.Exit(); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	io.Copy(io.Discard, out) // nothing of its session outlives it
}

func TestSpareKilled(t *testing.T) {
	s := newStage(t)
	for range 3 {
		s.warming.Wait()
		s.mu.Lock()
		spare := s.spare
		s.mu.Unlock()
		spare.monitor.kill()
		<-spare.Done()
		if got, _ := s.output(s.spec("echo", "fine")); got != "fine\n" {
			t.Errorf("got %q", got)
		}
	}
}

// A spare monitor is not in the way of a program that has just begun. One that runs for
// long has another one ready beside it.
func TestSpareComesAfterwards(t *testing.T) {
	s := newStage(t)
	s.warming.Wait()
	began := time.Now()
	run, _ := s.start(s.spec("sleep", "1000"))
	s.mu.Lock()
	early := s.coming || s.spare != nil
	s.mu.Unlock()
	if took := time.Since(began); early && took < short {
		t.Errorf("it comes after %v", took)
	}
	s.warming.Wait()
	select {
	case <-run.Done():
		t.Error("the program was waited for")
	default:
	}
	s.mu.Lock()
	spare := s.spare
	s.mu.Unlock()
	if spare == nil {
		t.Error("it never comes")
	}
	run.Kill()
	<-run.Done()
}

func TestContext(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the launcher is gone")
	cancel(gone)
	if _, err := s.Start(ctx, s.spec("true")); !errors.Is(err, gone) {
		t.Error(err)
	}
	if got, _ := s.output(s.spec("echo", "next")); got != "next\n" {
		t.Errorf("got %q", got)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newStage(t)
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() {
			want := fmt.Sprint("number ", i)
			if got, status := s.output(s.spec("sh", "-c", "echo $0; exit $1", want, fmt.Sprint(i))); got != want+"\n" || status != i {
				t.Errorf("%d: got %q, status %d", i, got, status)
			}
		})
	}
	wg.Wait()
}

func TestClosed(t *testing.T) {
	s := newStage(t)
	run, out := s.start(s.spec("sh", "-c", "echo up; read x; exit 8"))
	waitLine(t, out, "up")
	s.Close()
	if _, err := s.Start(t.Context(), s.spec("true")); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	run.Kill()
	<-run.Done()
}

// However quickly a program ends, it has been started once.
func TestStartedOnce(t *testing.T) {
	s := newStage(t)
	for range 40 {
		if got, _ := s.output(s.spec("echo", "once")); got != "once\n" {
			t.Fatalf("got %q", got)
		}
	}
}

// Both ways to find a process's children find them.
func TestBelow(t *testing.T) {
	r, w := pipe(t)
	cmd := exec.Command("cat")
	cmd.Stdin = r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for name, pids := range map[string][]int{"lists": (&watch{}).below(), "parents": childrenByParent()} {
		if !slices.Contains(pids, cmd.Process.Pid) {
			t.Errorf("by %s: %v, want %d", name, pids, cmd.Process.Pid)
		}
	}
	w.Close()
	cmd.Wait()
}
