package peer

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// The numbers of an audit token lie one behind the other.
func TestToken(t *testing.T) {
	raw := unix.IPv6MTUInfo{Mtu: 8}
	raw.Addr.Flowinfo = 502
	raw.Addr.Addr = [16]byte{0: 1, 4: 2, 8: 3, 12: 77}
	if got := fromRaw(&raw); got != (token{502, 77, 8}) {
		t.Errorf("%+v", got)
	}
}

// A process is the one at the other end until it has ended, and no other one of its id
// is.
func TestOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.DialUnix("unix", nil, l.Addr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p, err := Own(conn)
	if err != nil || p.PID != os.Getpid() || p.UID != os.Geteuid() {
		t.Fatalf("%+v, %v", p, err)
	}
	if err := p.Check(); err != nil {
		t.Error(err)
	}
	p.started.Sec--
	if err := p.Check(); !errors.Is(err, ErrGone) {
		t.Error(err)
	}
}
