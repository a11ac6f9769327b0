package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/daemon/peer"
)

// Where several users may be clients none takes all places, and status takes none.
func TestPlacesAreShared(t *testing.T) {
	p := newPlaces(4, true)
	a, b := p.take(1), p.take(1)
	if a == nil || b == nil || p.take(1) != nil {
		t.Fatal("half of four are two")
	}
	c, d := p.take(2), p.take(3)
	if c == nil || d == nil || p.take(4) != nil {
		t.Fatal("four are four")
	}
	a()
	if p.take(4) == nil {
		t.Error("a place that was left is not there again")
	}
	if p := newPlaces(1, true); p.take(1) == nil || p.take(2) != nil {
		t.Error("one place is anybody's, once")
	}
	alone := newPlaces(2, false)
	for range 2 {
		if alone.take(1) == nil {
			t.Error("who is alone does not have all")
		}
	}
}

// It is those who have most connections open that lose one.
func TestWhoGivesWay(t *testing.T) {
	p := newPlaces(4, true)
	quiet := pending(t, 1)
	p.await(quiet)
	var loud []*connection
	for range maxWaiting {
		c := pending(t, 2)
		loud = append(loud, c)
		p.await(c)
	}
	if p.heard(loud[0]) {
		t.Error("the oldest one of the loud is still waited for")
	}
	if !p.heard(quiet) || !p.heard(loud[1]) || p.heard(quiet) {
		t.Error("others gave way, too, or are waited for twice")
	}
}

// pending returns a connection of a user on which nothing was said.
func pending(t *testing.T, uid int) *connection {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &connection{UnixConn: conn, peer: &peer.Peer{UID: uid, PID: os.Getpid()}}
}
