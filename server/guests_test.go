package server

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/auth"
)

// A fakeConn comes from an address.
type fakeConn struct {
	net.Conn
	from   net.Addr
	closed bool
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.from }
func (c *fakeConn) Close() error         { c.closed = true; return nil }

// A queue is a listener with connections that wait to be accepted.
type queue struct{ waiting []func() (net.Conn, error) }

func (q *queue) Accept() (net.Conn, error) {
	if len(q.waiting) == 0 {
		return nil, net.ErrClosed
	}
	next := q.waiting[0]
	q.waiting = q.waiting[1:]
	return next()
}

func (q *queue) Close() error   { return nil }
func (q *queue) Addr() net.Addr { return &net.TCPAddr{} }

// A reception is where connections arrive in tests.
type reception struct {
	*testing.T
	*queue
	*guests
}

// receive runs a test that knows what time it is.
func receive(t *testing.T, test func(r reception)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		trusted, err := auth.ParseProxies("10.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		q := &queue{}
		test(reception{t, q, newGuests(q, trusted.Trusts)})
	})
}

// come has a connection from an address arrive, a second after the last one. It
// returns nil as its guest if it was not let in.
func (r reception) come(addr string) (*fakeConn, *guest) {
	r.Helper()
	time.Sleep(time.Second)
	c := &fakeConn{from: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 1000))}
	r.waiting = append(r.waiting, func() (net.Conn, error) { return c, nil })
	conn, err := r.guests.Accept()
	if err != nil {
		return c, nil
	}
	return c, guestOf(conn)
}

// wantOut has somebody come from addr and be served, and wants that to cost c its
// place.
func (r reception) wantOut(what, addr string, c *fakeConn) {
	r.Helper()
	if c.closed {
		r.Fatalf("%s: closed before", what)
	}
	_, o := r.come(addr)
	if o == nil || !c.closed {
		r.Fatalf("%s: let in %t, closed %t", what, o != nil, c.closed)
	}
	o.welcome()
	o.serve()
}

// A source that has all it may have gives up its own connections, and nobody
// else's. Proxies have as many as they like.
func TestConnectionsPerSource(t *testing.T) {
	receive(t, func(r reception) {
		other, _ := r.come("192.0.2.2")
		first, _ := r.come("2001:db8::1")
		second, o := r.come("2001:db8::2") // the same /64
		for range maxConnsSource - 2 {
			r.come("2001:db8::1")
		}
		if first.closed {
			t.Fatal("closed before the limit")
		}
		r.wantOut("one too many", "2001:db8::3", first)
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil { // gives one place back, not two
			t.Fatal(err)
		}
		third, _ := r.come("2001:db8::1")
		if !second.closed || third.closed {
			t.Error("a place that was given back was not taken again")
		}
		if _, same := r.count(netip.MustParsePrefix("2001:db8::/64")); same != maxConnsSource {
			t.Errorf("%d from the source", same)
		}
		for range maxConnsSource + 1 {
			if c, o := r.come("10.0.0.1"); o == nil || c.closed {
				t.Fatal("a proxy was limited")
			}
		}
		if other.closed {
			t.Error("another source lost a connection")
		}
	})
}

// With every place taken, the least welcome makes room; nobody does who is being
// served.
func TestLeastWelcome(t *testing.T) {
	receive(t, func(r reception) {
		proxied, _ := r.come("10.0.0.1")
		friend, o := r.come("192.0.2.1")
		o.welcome()
		lonely, lonelyGuest := r.come("192.0.2.2")
		greedy, _ := r.come("192.0.2.3")
		second, _ := r.come("192.0.2.3")
		var served *fakeConn
		for i := len(r.present); i < maxConns; i++ {
			served, o = r.come(fmt.Sprintf("198.18.%d.%d", i>>8, i&255))
			o.welcome()
			o.serve()
		}
		r.wantOut("from where there are most", "192.0.2.4", greedy)
		lonelyGuest.stir()
		r.wantOut("who has been silent for longest", "192.0.2.5", second)
		r.wantOut("the last stranger", "192.0.2.6", lonely)
		r.wantOut("who is known", "192.0.2.7", friend)
		r.wantOut("a proxy", "192.0.2.8", proxied)
		if late, in := r.come("192.0.2.9"); in != nil || !late.closed || served.closed {
			t.Error("somebody made room who was being served")
		}
		o.served()
		r.wantOut("who was served", "192.0.2.9", served)
	})
}

// Without descriptors left it is the same as without places.
func TestOutOfDescriptorsTurnsOut(t *testing.T) {
	receive(t, func(r reception) {
		first, _ := r.come("192.0.2.1")
		r.waiting = append(r.waiting, func() (net.Conn, error) {
			return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
		})
		r.wantOut("no descriptors", "192.0.2.2", first)
	})
}
