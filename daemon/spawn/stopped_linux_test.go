package spawn

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watchdog is how soon a spawner has to be heard of in these tests.
const watchdog = 300 * time.Millisecond

// stopsBoth stops its spawner and its monitor, once it is told.
const stopsBoth = `read -r _; read -r _ _ _ spawner _ </proc/$PPID/stat; kill -STOP $spawner $PPID; echo up; exec sleep 1000`

// stopBoth starts such a program, and returns it when go has been called, and what
// it will print after that.
func (s *stage) stopBoth(t *testing.T) (run *Run, out *os.File, stop func()) {
	t.Helper()
	wait, release := pipe(t)
	spec := s.spec("sh", "-c", stopsBoth)
	spec.Streams[0] = wait
	run, out = s.start(spec)
	return run, out, func() {
		release.Write([]byte("\n"))
		if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
	}
}

// systemd hears of a spawner for as long as that can be given orders: a program can
// stop it, and speaks for it with nothing.
func TestSpawnerPulse(t *testing.T) {
	s, sockets := newRemoteStage(t, 1)
	s.Close() // one whose spawner was started before anybody listened
	path := filepath.Join(s.dir, "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { heard.Close() })
	os.Chmod(path, 0o777)
	sockets[0].listen(path)
	s.Starter = NewRemoteStarter(sockets[0].path)
	t.Cleanup(s.Close)
	t.Cleanup(func() { sockets[0].signal(unix.SIGCONT) })

	run, out, stop := s.stopBoth(t)
	hears := func(within time.Duration) error {
		heard.SetReadDeadline(time.Now().Add(within))
		text := make([]byte, 64)
		n, err := heard.Read(text)
		if err == nil && string(text[:n]) != "WATCHDOG=1" {
			t.Errorf("%q", text[:n])
		}
		return err
	}
	for range 10 {
		if err := hears(30 * time.Second); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	for err = nil; err == nil; {
		err = hears(10 * watchdog)
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal(err)
	}
	select {
	case <-run.Done():
		t.Error("it has ended")
	default:
	}
	// What systemd does then.
	sockets[0].signal(unix.SIGKILL)
	home := filepath.Join(s.dir, "home")
	if err := errors.Join(os.Mkdir(home, 0o700), os.Chown(home, others[0], others[0])); err != nil {
		t.Fatal(err)
	}
	clearing := &socket{log: t.Output()}
	clearing.activate(heardFile(t, heard), executableCopy(t), others[0], []string{clearUp, home})
	<-run.Gone()
	if _, err := run.Exit(); !errors.Is(err, ErrLost) {
		t.Error(err)
	}
	io.ReadAll(out)
	if got, status := s.output(s.spec("echo", "another one")); got != "another one\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
}

func heardFile(t *testing.T, conn *net.UnixConn) *os.File {
	t.Helper()
	f, err := conn.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// Nobody waits for ever for a spawner that its program has stopped, and its user is
// nobody else until it is known that nothing is left.
func TestStoppedSpawner(t *testing.T) {
	s, sockets := newRemoteStage(t, 1)
	t.Cleanup(func() { sockets[0].signal(unix.SIGCONT) })
	run, out, stop := s.stopBoth(t)
	stop()
	conn := run.monitor.(*foster).conn
	for err := error(nil); err == nil; { // until no order fits
		conn.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = conn.Write([]byte{orderWake})
	}
	run.Kill()
	run.giveUp()
	<-run.Done()
	_, err := run.Exit()
	if silent, ok := errors.AsType[*SilentError](err); !ok || silent.UID != others[0] {
		t.Error(err)
	}
	if _, _, err := s.tryTake(); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	if isClosed(run.Gone()) {
		t.Error("nothing of it is left")
	}
	sockets[0].signal(unix.SIGCONT)
	<-run.Gone()
	io.ReadAll(out)
	if got, status := s.output(s.spec("echo", "another one")); got != "another one\n" || status != 0 {
		t.Errorf("%q, %d", got, status)
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
