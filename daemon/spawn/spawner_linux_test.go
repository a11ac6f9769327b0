package spawn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/scripts/e2e"
	"github.com/cortex-auth/cortex/scripts/e2e/need"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// others are who programs are in these tests, and nobody is elsewhere: their spawner
// kills what else runs as them.
var others = []int{64121, 64122}

// alone keeps them to these tests.
var alone = sync.OnceValue(func() error { return e2e.Alone("spawn") })

// A socket starts a spawner as another user for each connection, as systemd does.
type socket struct {
	path  string
	log   io.Writer
	files int    // as many may a spawner have, if it is positive
	watch string // a socket that hears of a spawner as often as [watchdog] asks for

	mu  sync.Mutex // guards cmd
	cmd *exec.Cmd  // the latest
}

// newSpawner returns a socket whose spawners take orders from a user, the first of
// args.
func newSpawner(t *testing.T, uid int, args ...string) *socket {
	t.Helper()
	need.Root(t, "be somebody else as well")
	if err := alone(); err != nil {
		t.Fatal(err)
	}
	s := &socket{path: filepath.Join(t.TempDir(), "s"), log: t.Output()}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	l.Close()
	if err != nil {
		t.Fatal(err)
	}
	exe := executableCopy(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for asked(f, r) {
			s.activate(f, exe, uid, args)
		}
	})
	t.Cleanup(func() {
		w.Close()
		s.end()
		wg.Wait()
		r.Close()
		f.Close()
	})
	return s
}

// asked waits until somebody connects, or until stop is closed.
func asked(l, stop *os.File) bool {
	fds := []unix.PollFd{{Fd: int32(l.Fd()), Events: unix.POLLIN}, {Fd: int32(stop.Fd())}}
	for {
		if _, err := unix.Poll(fds, -1); !errors.Is(err, unix.EINTR) {
			return fds[1].Revents == 0
		}
	}
}

// activate starts a spawner and waits for its end.
func (s *socket) activate(l *os.File, exe string, uid int, args []string) {
	// The socket is for the process with that id, as systemd has it.
	cmd := &exec.Cmd{
		Path: "/bin/bash", Args: append([]string{"bash", "-c", `[[ $FILES = 0 ]] || ulimit -n $FILES; LISTEN_PID=$$ WATCHDOG_PID=$$ exec -a "$0" "$EXE" "$@"`, SpawnerName}, args...),
		Env:    []string{"LISTEN_FDS=1", "HOME=/nonexistent", "USER=nobody", "EXE=" + exe, fmt.Sprintf("FILES=%d", s.files)},
		Stderr: s.log, ExtraFiles: []*os.File{l}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}},
	}
	if watch := s.watches(); watch != "" {
		cmd.Env = append(cmd.Env, "NOTIFY_SOCKET="+watch, fmt.Sprintf("WATCHDOG_USEC=%d", watchdog.Microseconds()))
	}
	s.mu.Lock()
	err := cmd.Start()
	s.cmd = cmd
	s.mu.Unlock()
	if err == nil {
		cmd.Wait()
	}
}

// listen has those that are started from now on be heard at a socket.
func (s *socket) listen(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watch = path
}

func (s *socket) watches() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch
}

// end tells the latest spawner to end.
func (s *socket) end() { s.signal(unix.SIGTERM) }

func (s *socket) signal(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil && s.cmd.Process != nil {
		s.cmd.Process.Signal(sig)
	}
}

// executableCopy returns this program where another user may execute it.
func executableCopy(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "spawner-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "test")
	text, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = errors.Join(os.Chmod(dir, 0o755), os.WriteFile(path, text, 0o755))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// newRemoteStage returns a stage whose programs are of so many other users.
func newRemoteStage(t *testing.T, users int) (*stage, []*socket) {
	t.Helper()
	var all []*socket
	var paths []string
	for _, uid := range others[:users] {
		s := newSpawner(t, uid, "root")
		all, paths = append(all, s), append(paths, s.path)
	}
	s := &stage{NewRemoteStarter(paths...), t, t.TempDir()}
	for dir := s.dir; dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	t.Cleanup(s.Close)
	return s, all
}

func TestAnotherUser(t *testing.T) {
	s, _ := newRemoteStage(t, 1)
	s.write("names", "A=\n", 0o644)
	spec := s.spec("sh", "-c", `id -u; id -g; id -G; cat names; echo "$HOME $USER $SECRET" > /dev/stdout; grep -c "^CapEff:[[:space:]]*0*$" /proc/self/status; exit 3`)
	spec.Env = append(spec.Env, "HOME=/root", "USER=root", "XDG_RUNTIME_DIR=/run/user/0")
	spec.Secrets = []Secret{{"SECRET", opaque.New([]byte("of-another-user"))}}
	spec.Needles = spec.Secrets
	want := "64121\n64121\n64121\nA=\n/nonexistent nobody ‹cortex:SECRET›\n1\n"
	if got, status := s.output(spec); got != want || status != 3 {
		t.Errorf("%q, %d", got, status)
	}
	os.Chmod(s.dir, 0o700)
	_, err := s.Start(t.Context(), s.spec("true"))
	if _, ok := errors.AsType[*StartError](err); !ok || !strings.Contains(err.Error(), "working directory") {
		t.Error(err)
	}
}

// A program that kills its monitor, which is of its own user, has won nothing.
func TestAnotherUserIsSwept(t *testing.T) {
	s, _ := newRemoteStage(t, 1)
	run, out := s.start(s.spec("sh", "-c", "setsid sleep 1000 & kill -9 $PPID; sleep 1000"))
	<-run.Done()
	if _, err := run.Exit(); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	if rest, err := io.ReadAll(out); err != nil || len(rest) > 0 { // until nobody has it
		t.Errorf("%q, %v", rest, err)
	}
	// One that has stopped it is ended all the same.
	run, out = s.start(s.spec("sh", "-c", "kill -STOP $PPID; echo up; exec sleep 1000"))
	io.ReadFull(out, make([]byte, 3))
	run.Kill()
	<-run.Done()
	io.ReadAll(out)
}

// When the daemon goes away, so does all that it has started.
func TestSpawnerWithoutDaemon(t *testing.T) {
	s, _ := newRemoteStage(t, 1)
	run, out := s.start(s.spec("sh", "-c", "setsid sleep 1000 & exec sleep 1000"))
	run.control.Close()
	run.monitor.(*foster).conn.Close()
	io.ReadAll(out)
}

func TestSpawnerEnds(t *testing.T) {
	s, sockets := newRemoteStage(t, 1)
	run, out := s.start(s.spec("sleep", "1000"))
	sockets[0].end()
	<-run.Done()
	// The monitor was told to end it, and not killed when it had not done so for
	// long.
	if exit, err := run.Exit(); exit.Signal != unix.SIGKILL || err != nil {
		t.Errorf("%+v, %v", exit, err)
	}
	io.ReadAll(out)
	if got, status := s.output(s.spec("echo", "another one")); got != "another one\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
}

func TestSpawnerServesOne(t *testing.T) {
	s := newSpawner(t, others[0], "daemon") // who we are not
	launch := newPool([]string{s.path}, func() {}).launch
	if _, err := newMonitor(launch, func(bare) {}); err == nil {
		t.Error("took an order from root")
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	exe := executableCopy(t)
	for _, args := range [][]string{{}, {"no-such-user"}, {"nobody"}, {"root", "/nonexistent", "root"}, {clearUp, "/nonexistent"}, {clearUp, "/"}} {
		s := &socket{log: t.Output()}
		s.activate(null, exe, others[0], args) // ends at once
		if s.cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("%q: %v", args, s.cmd.ProcessState)
		}
	}
	if _, err := newMonitor(newPool([]string{filepath.Join(t.TempDir(), "none")}, func() {}).launch, func(bare) {}); err == nil || !strings.Contains(err.Error(), "reaching the spawner") {
		t.Error(err)
	}
}

// Each program is a user that no other one is, and one that finds none free waits.
func TestUsersAreForOne(t *testing.T) {
	s, _ := newRemoteStage(t, 2)
	os.Chmod(s.dir, 0o777)
	wait, release := pipe(t)
	var ids []string
	var runs []*Run
	for range others {
		spec := s.spec("sh", "-c", "id -u; read -r line")
		spec.Streams[0] = wait
		run, out := s.start(spec)
		id := make([]byte, 6)
		if _, err := io.ReadFull(out, id); err != nil {
			t.Fatal(err)
		}
		ids, runs = append(ids, string(id)), append(runs, run)
	}
	if ids[0] == ids[1] {
		t.Fatalf("both are %q", ids[0])
	}
	if _, _, err := s.tryTake(); !errors.Is(err, ErrBusy) {
		t.Errorf("a third one: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if _, err := s.Start(ctx, s.spec("true")); err == nil || err.Error() != "enough" {
		t.Error(err)
	}
	third := make(chan string)
	go func() {
		got, _ := s.output(s.spec("id", "-u"))
		third <- got
	}()
	runs[1].Kill()
	if got := <-third; got != ids[1] {
		t.Errorf("%q, not %q", got, ids[1])
	}
	release.Close()
	<-runs[0].Done()

	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for range 10 {
				if got, status := s.output(s.spec("sh", "-c", `mkdir "taken-$(id -u)" && rmdir "taken-$(id -u)"`)); got != "" || status != 0 {
					t.Errorf("%q, %d", got, status)
				}
			}
		})
	}
	wg.Wait()
}

// Another spawner does what one cannot.
func TestBrokenSpawner(t *testing.T) {
	s := newSpawner(t, others[0], "root")
	broken := newSpawner(t, others[1], "root", "/nonexistent-and-not-to-be-emptied")
	r := NewRemoteStarter(broken.path, s.path)
	t.Cleanup(r.Close)
	stage := &stage{r, t, t.TempDir()}
	for dir := stage.dir; dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	for range 3 {
		if got, _ := stage.output(stage.spec("id", "-u")); got != "64121\n" {
			t.Errorf("%q", got)
		}
	}
}

// The daemon hears why a user cannot be used.
func TestUnclearSpawner(t *testing.T) {
	s := newSpawner(t, others[0], "root", "/nonexistent-and-not-to-be-emptied")
	_, err := newMonitor(newPool([]string{s.path}, func() {}).launch, func(bare) {})
	if e, ok := errors.AsType[*UnclearError](err); !ok || e.UID != others[0] || !strings.Contains(err.Error(), "cannot be cleared of what another run left") {
		t.Error(err)
	}
}

func TestSpawnerOrders(t *testing.T) {
	s := newSpawner(t, others[0], "root")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, row := range []struct {
		text  string
		files int // sockets, if positive
	}{{"", 0}, {"\x02", 0}, {"\x02", 2}, {"\x02", 4}, {"\x00", 3}, {"\x01", 3}, {"\x03", 3}, {"\x02", -3}} {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: s.path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		if err := sendOrder(conn, []byte(row.text), row.files, null); err != nil {
			t.Fatal(err)
		}
		conn.CloseWrite()
		if answer, err := io.ReadAll(conn); err == nil && len(answer) > 0 {
			t.Errorf("%+v: %q", row, answer)
		}
		conn.Close()
	}
}

// sendOrder sends bytes with so many sockets, or so many times another file.
func sendOrder(conn *net.UnixConn, text []byte, files int, file *os.File) error {
	var fds []int
	for range max(files, -files) {
		if files < 0 {
			fds = append(fds, int(file.Fd()))
			continue
		}
		ours, theirs, err := pair()
		if err != nil {
			return err
		}
		defer ours.Close()
		defer theirs.Close()
		fds = append(fds, int(theirs.Fd()))
	}
	if len(text) == 0 {
		return nil
	}
	_, _, err := conn.WriteMsgUnix(text, unix.UnixRights(fds...), nil)
	return err
}

// An order is taken if it is the one there is, and what comes with another is
// closed.
func FuzzOrder(f *testing.F) {
	for n := range uint8(6) {
		f.Add([]byte{spawnerVersion}, n)
	}
	f.Add([]byte("\x02\x02"), uint8(3))
	f.Add([]byte{}, uint8(3))
	f.Fuzz(func(t *testing.T, text []byte, n uint8) {
		files := int(n) % 8
		if len(text) > 4096 {
			return // nobody reads what a socket cannot hold
		}
		ours, theirs, err := pair()
		if err != nil {
			t.Fatal(err)
		}
		defer ours.Close()
		conn, err := net.FileConn(theirs)
		theirs.Close()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := sendOrder(ours, text, files, nil); err != nil {
			t.Fatal(err)
		}
		ours.Close()
		before := openFiles(t)
		got, err := takeOrder(conn.(*net.UnixConn))
		if want := len(text) > 0 && text[0] == spawnerVersion && files == spawnerSockets; (err == nil) != want {
			t.Errorf("%q with %d: %v", text, files, err)
		}
		for _, f := range got {
			f.Close()
		}
		if after := openFiles(t); after > before {
			t.Errorf("%d descriptors more", after-before)
		}
	})
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(fmt.Errorf("counting descriptors: %w", err))
	}
	return len(entries)
}
