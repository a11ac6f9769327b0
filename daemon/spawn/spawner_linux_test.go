package spawn

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// other is who programs are in these tests.
const other = 65534

// newSpawner starts a spawner as another user, which takes orders from this one,
// and returns its socket.
func newSpawner(t *testing.T, args ...string) (sock string, cmd *exec.Cmd) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can be somebody else as well")
	}
	sock = filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: sock, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.SetUnlinkOnClose(false)
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// The socket is for the process with that id, as systemd has it.
	cmd = &exec.Cmd{
		Path: "/bin/bash", Args: append([]string{"bash", "-c", `LISTEN_PID=$$ exec -a "$0" "$EXE" "$@"`, SpawnerName}, args...),
		Env:    []string{"LISTEN_FDS=1", "HOME=/nonexistent", "USER=nobody", "EXE=" + executableCopy(t)},
		Stderr: t.Output(), ExtraFiles: []*os.File{f}, Dir: "/",
		SysProcAttr: &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: other, Gid: other}},
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(unix.SIGTERM)
		cmd.Wait()
	})
	return sock, cmd
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

func newRemoteStage(t *testing.T) (*stage, *exec.Cmd) {
	t.Helper()
	sock, cmd := newSpawner(t, "root")
	s := &stage{NewRemoteStarter(sock), t, t.TempDir()}
	for dir := s.dir; dir != os.TempDir(); dir = filepath.Dir(dir) {
		os.Chmod(dir, 0o755)
	}
	t.Cleanup(s.Close)
	return s, cmd
}

func TestAnotherUser(t *testing.T) {
	s, _ := newRemoteStage(t)
	s.write("names", "A=\n", 0o644)
	spec := s.spec("sh", "-c", `id -u; id -g; id -G; cat names; echo "$HOME $USER $SECRET" > /dev/stdout; grep -c "^CapEff:[[:space:]]*0*$" /proc/self/status; exit 3`)
	spec.Env = append(spec.Env, "HOME=/root", "USER=root", "XDG_RUNTIME_DIR=/run/user/0")
	spec.Secrets = []Secret{{"SECRET", opaque.New([]byte("of-another-user"))}}
	spec.Needles = spec.Secrets
	want := "65534\n65534\n65534\nA=\n/nonexistent nobody ‹cortex:SECRET›\n1\n"
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
	s, _ := newRemoteStage(t)
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
	s, _ := newRemoteStage(t)
	run, out := s.start(s.spec("sh", "-c", "setsid sleep 1000 & exec sleep 1000"))
	run.control.Close()
	run.monitor.(*foster).conn.Close()
	io.ReadAll(out)
}

func TestSpawnerEnds(t *testing.T) {
	s, cmd := newRemoteStage(t)
	run, out := s.start(s.spec("sleep", "1000"))
	cmd.Process.Signal(unix.SIGTERM)
	<-run.Done()
	// The monitor was told to end it, and not killed when it had not done so for
	// long.
	if exit, err := run.Exit(); exit.Signal != unix.SIGKILL || err != nil {
		t.Errorf("%+v, %v", exit, err)
	}
	io.ReadAll(out)
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := s.Start(t.Context(), s.spec("true")); err == nil || !strings.Contains(err.Error(), "reaching the spawner") {
		t.Error(err)
	}
}

func TestSpawnerServesOne(t *testing.T) {
	sock, _ := newSpawner(t, "daemon") // who we are not
	if _, err := newMonitor(remote{sock}.launch); err == nil {
		t.Error("took an order from root")
	}
	for _, args := range [][]string{{}, {"no-such-user"}, {"nobody"}, {"root", "root"}} {
		if _, cmd := newSpawner(t, args...); cmd.Wait() == nil {
			t.Errorf("%q: serves", args)
		}
	}
}

func TestSpawnerOrders(t *testing.T) {
	sock, _ := newSpawner(t, "root")
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	for _, row := range []struct {
		text  string
		files int // sockets, if positive
	}{{"", 0}, {"\x01", 0}, {"\x01", 2}, {"\x01", 4}, {"\x00", 3}, {"\x02", 3}, {"\x01", -3}} {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: sock, Net: "unix"})
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
	f.Add([]byte("\x01\x01"), uint8(3))
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
