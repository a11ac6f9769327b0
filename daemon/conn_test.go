package daemon

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/daemon/drop"
	"github.com/cortex-auth/cortex/daemon/ipc"
	"github.com/cortex-auth/cortex/daemon/peer"
)

// connected returns both ends of a Unix socket.
func connected(t *testing.T, l *net.UnixListener) (ours *connection, theirs *net.UnixConn) {
	t.Helper()
	theirs, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	return &connection{UnixConn: conn, peer: &peer.Peer{}, bin: new(drop.Bin), large: newPlaces(largePlaces, false)}, theirs
}

// Long requests wait for each other, and short ones for nobody.
func TestLongRequestsTakeTurns(t *testing.T) {
	dir := t.TempDir()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	places := newPlaces(largePlaces, false)
	long := "{\"cmd\":\"status\"" + strings.Repeat(" ", 2*shortLine) + "}\n"
	request := func(line string) (*connection, chan error) {
		t.Helper()
		c, theirs := connected(t, l)
		c.large = places
		t.Cleanup(func() { theirs.Close(); c.UnixConn.Close() })
		go theirs.Write([]byte(line))
		done := make(chan error, 1)
		go func() {
			_, err := c.readRequest(t.Context())
			done <- err
		}()
		return c, done
	}
	var holders []*connection
	for range largePlaces {
		c, done := request(long)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		holders = append(holders, c)
	}
	if places.taken[0] != largePlaces {
		t.Fatalf("%d places are taken", places.taken[0])
	}
	_, waits := request(long)
	_, short := request("{\"cmd\":\"status\"}\n")
	if err := <-short; err != nil {
		t.Errorf("a short request: %v", err)
	}
	select {
	case err := <-waits:
		t.Errorf("one long request too many: %v", err)
	default:
	}
	holders[0].let()
	holders[0].let()
	if err := <-waits; err != nil {
		t.Errorf("after one has left: %v", err)
	}
}

// From a user of whose descriptors too many do not close nothing more is taken.
func TestNothingMoreIsTaken(t *testing.T) {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	bin, all, hold := new(drop.Bin), newArrivals(fewPlaces), make(chan struct{})
	for !bin.Full(0) {
		bin.Do(0, func() { <-hold })
	}
	ask := func(uid int) string {
		c, theirs := connected(t, l)
		c.bin, c.arrivals, c.giveWay, c.peer.UID = bin, all, func() {}, uid
		all.await(c)
		send(theirs, []byte(`{"cmd":"dance"}`+"\n"), 1)
		(&Daemon{}).handle(t.Context(), t.Context(), c)
		c.UnixConn.Close()
		answer, _ := io.ReadAll(theirs)
		return string(answer)
	}
	if got := ask(0); !strings.Contains(got, `"error_code":"busy"`) {
		t.Errorf("heard %s", got)
	}
	if got := ask(1); strings.Contains(got, "busy") {
		t.Errorf("another user heard %s", got)
	}
	close(hold)
	for bin.Full(0) {
		runtime.Gosched()
	}
	if got := ask(0); strings.Contains(got, "busy") {
		t.Errorf("after they have closed: %s", got)
	}
}

// Whatever is accepted is what was sent, with as many descriptors as it names,
// however it was cut into pieces.
func FuzzConnection(f *testing.F) {
	dir, err := os.MkdirTemp("", "d")
	if err != nil {
		f.Fatal(err)
	}
	defer os.RemoveAll(dir)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, "s"), Net: "unix"})
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close()
	for _, line := range []string{
		"{\"cmd\":\"status\"}\n", "{\"cmd\":\"run\",\"program\":\"true\",\"project\":\"p\",\"v\":1,\"fds\":[\"cwd\",\"stdin\"]}\n{\"signal\":2}\n",
		"\n", "{}", "", "x\x00\xff\n",
	} {
		f.Add([]byte(line), uint(0), uint8(0), uint8(0))
		f.Add([]byte(line), uint(5), uint8(1), uint8(1))
		f.Add([]byte(line), uint(1), uint8(3), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text []byte, cut uint, first, second uint8) {
		c, theirs := connected(t, l)
		defer c.UnixConn.Close()
		cut %= uint(len(text)) + 1
		go func() {
			defer theirs.Close()
			send(theirs, text[:cut], int(first%8))
			send(theirs, text[cut:], int(second%8))
		}()
		r, err := c.readRequest(t.Context())
		defer c.closeFiles()
		if err != nil {
			if c.files != nil {
				t.Error("refused, and kept its descriptors")
			}
			return
		}
		line, rest, _ := bytes.Cut(text, []byte("\n"))
		if _, err := ipc.ParseRequest(line); err != nil || len(c.files)+len(c.further) != len(r.FDs) || !bytes.HasPrefix(rest, c.rest) {
			t.Errorf("accepted %q, %d descriptors, as %+v", text, len(c.files)+len(c.further), r)
		}
		if want := len(r.FDs); want != int(first%8) && want != int(first%8+second%8) && want != int(second%8) {
			t.Errorf("%d descriptors were accepted for %d and %d", want, first%8, second%8)
		}
	})
}

func send(conn *net.UnixConn, text []byte, files int) {
	fds := make([]int, files)
	for i := range fds {
		fds[i] = int(os.Stdin.Fd())
	}
	if len(text) > 0 {
		conn.WriteMsgUnix(text, unix.UnixRights(fds...), nil)
	}
}
