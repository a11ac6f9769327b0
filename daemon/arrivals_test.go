package daemon

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/daemon/peer"
)

// It is those who have most connections open that lose one.
func TestWhoGivesWay(t *testing.T) {
	a := newArrivals(fewPlaces)
	quiet := pending(t, 1)
	a.await(quiet)
	var loud []*connection
	gone := 0
	for range a.most {
		c := pending(t, 2)
		c.giveWay = func() { gone++ }
		loud = append(loud, c)
		a.await(c)
	}
	if a.heard(loud[0]) || gone != 1 {
		t.Error("the oldest one of the loud is still waited for")
	}
	if !a.heard(quiet) || !a.heard(loud[1]) || a.heard(quiet) {
		t.Error("others gave way, too, or are waited for twice")
	}
	// Of one user, it is the process with most.
	a = newArrivals(fewPlaces)
	first := pending(t, 1)
	first.peer.PID = 1
	a.await(first)
	for range a.most {
		a.await(pending(t, 1))
	}
	if !a.heard(first) {
		t.Error("one process keeps another one out")
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
	return &connection{UnixConn: conn, peer: &peer.Peer{UID: uid, PID: os.Getpid()}, giveWay: func() {}}
}
