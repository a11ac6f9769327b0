package peer

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e/need"
)

// connectEnv makes the test binary connect to a socket, and wait until it is
// closed.
const connectEnv = "PEER_TEST_CONNECT"

func TestMain(m *testing.M) {
	if path := os.Getenv(connectEnv); path != "" {
		conn, err := net.Dial("unix", path)
		if err != nil {
			os.Stderr.WriteString(err.Error() + "\n")
			syscall.Exit(1)
		}
		io.Copy(io.Discard, conn)
		io.Copy(io.Discard, os.Stdin)
		syscall.Exit(0)
	}
	os.Exit(m.Run())
}

func listen(t *testing.T) *net.UnixListener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// connect starts a process that connects, and returns it with our end.
func connect(t *testing.T, l *net.UnixListener, attr *syscall.SysProcAttr) (*exec.Cmd, *net.UnixConn, io.Closer) {
	t.Helper()
	cmd := &exec.Cmd{Path: "/proc/self/exe", Args: os.Args[:1], Env: []string{connectEnv + "=" + l.Addr().String()}, Stderr: os.Stderr, SysProcAttr: attr}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		in.Close()
		cmd.Wait()
	})
	return cmd, conn, in
}

func TestOwn(t *testing.T) {
	l := listen(t)
	cmd, conn, in := connect(t, l, nil)
	p, err := Own(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.PID != cmd.Process.Pid || p.UID != os.Getuid() || p.pidfd < 0 {
		t.Errorf("%+v, want pid %d", p, cmd.Process.Pid)
	}
	// What kernels without SO_PEERPIDFD have instead.
	old := &Peer{PID: p.PID, handle: handle{pidfd: -1, pid: p.PID}}
	if old.started, err = started(p.PID); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Peer{p, old} {
		if err := p.Check(); err != nil {
			t.Error(err)
		}
		dir, err := p.Dir()
		if err != nil {
			t.Fatal(err)
		}
		dir.Close()
	}
	conn.Close()
	in.Close()
	cmd.Wait()
	for _, p := range []*Peer{p, old} {
		if err := p.Check(); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
		if _, err := p.Dir(); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	}
	// There is a directory of that id, which is another process's.
	for _, p := range []*Peer{p, old} {
		other := *p
		other.PID = os.Getppid()
		if _, err := other.Dir(); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	}
	// The id went to somebody else: not this process, which may have started
	// within the same tick.
	old.pid = os.Getppid()
	if err := old.Check(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}

func TestServerSide(t *testing.T) {
	l := listen(t)
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	p, err := Own(client)
	if err != nil || p.PID != os.Getpid() {
		t.Errorf("%+v, %v", p, err)
	}
	p.Close()
	client.Close()
	if _, err := Of(client); err == nil {
		t.Error("a closed socket has a peer")
	}
}

func TestForeign(t *testing.T) {
	need.Root(t, "be somebody else as well")
	l := listen(t)
	path := l.Addr().String()
	for _, dir := range []string{filepath.Dir(path), filepath.Dir(filepath.Dir(path))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	_, conn, _ := connect(t, l, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
	if _, err := Own(conn); !errors.Is(err, ErrForeign) {
		t.Error(err)
	}
	p, err := Of(conn)
	if err != nil || p.UID != 65534 {
		t.Errorf("%+v, %v", p, err)
	}
	p.Close()
}

func TestBelow(t *testing.T) {
	l := listen(t)
	cmd, conn, in := connect(t, l, nil)
	p, err := Own(conn)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for ancestor, want := range map[int]bool{os.Getpid(): true, os.Getppid(): true, cmd.Process.Pid: false, 1 << 30: false} {
		if p.Below(ancestor) != want {
			t.Errorf("below %d: %v", ancestor, !want)
		}
	}
	sibling, siblings, _ := connect(t, l, nil)
	if p.Below(sibling.Process.Pid) {
		t.Error("below a process beside it")
	}
	siblings.Close()
	conn.Close()
	in.Close()
	cmd.Wait()
	if p.Below(os.Getpid()) {
		t.Error("one that has ended is below somebody")
	}
}

// A process may call itself what it likes.
func TestStarted(t *testing.T) {
	if _, err := started(os.Getpid()); err != nil {
		t.Error(err)
	}
	want, err := started(os.Getpid())
	if n, convErr := strconv.ParseUint(want, 10, 64); err != nil || convErr != nil || n == 0 {
		t.Errorf("%q, %v", want, err)
	}
	if _, err := started(1 << 30); err == nil {
		t.Error("a process that is not there has started")
	}
}
