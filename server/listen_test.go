package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/auth"
)

// A pipes is a listener of connections in memory.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
}

func newPipes() *pipes { return &pipes{make(chan net.Conn), make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error   { close(p.done); return nil }
func (p *pipes) Addr() net.Addr { return &net.TCPAddr{} }
func (p *pipes) dial() net.Conn { c, s := net.Pipe(); p.conns <- s; return c }

// What a client never finishes is finished for it.
func TestSlowClients(t *testing.T) {
	for _, tc := range []struct {
		name, sent string
		limit      time.Duration
	}{
		{"nothing", "", readHeaderTimeout},
		{"half a header", "GET / HTTP/1.1\r\nHost: x\r\nX-A: ", readHeaderTimeout},
		{"half a body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc", readTimeout},
		{"idle", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", idleTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newPipes()
				srv := httpServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if _, err := io.ReadAll(r.Body); err != nil {
						w.WriteHeader(http.StatusRequestTimeout)
					}
				}))
				go srv.Serve(l)
				defer srv.Close()
				c := l.dial()
				go io.WriteString(c, tc.sent)
				start := time.Now()
				if _, err := io.Copy(io.Discard, bufio.NewReader(c)); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took < tc.limit || took > tc.limit+time.Second {
					t.Errorf("cut off after %s, want %s", took, tc.limit)
				}
			})
		})
	}
}

// A fakeConn comes from an address.
type fakeConn struct {
	net.Conn
	from   net.Addr
	closed chan struct{}
}

func (c *fakeConn) RemoteAddr() net.Addr { return c.from }
func (c *fakeConn) Close() error         { close(c.closed); return nil }

func from(addr string) *fakeConn {
	return &fakeConn{from: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(addr)), closed: make(chan struct{})}
}

func TestConnectionsPerSource(t *testing.T) {
	trusted, err := auth.ParseProxies("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	p := newPipes()
	l := newCapped(p, trusted.Trusts)
	accepted := make(chan net.Conn)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- c
		}
	}()
	var first net.Conn
	for i := range maxConnsSource {
		p.conns <- from("192.0.2.1:1000")
		if c := <-accepted; i == 0 {
			first = c
		}
	}
	over := from("192.0.2.1:1000")
	p.conns <- over
	<-over.closed
	// Others still get through, a proxy as often as it likes.
	p.conns <- from("192.0.2.2:1000")
	<-accepted
	for range maxConnsSource + 1 {
		p.conns <- from("10.0.0.1:1000")
		<-accepted
	}
	// A place that is given back, once, can be taken again.
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	p.conns <- from("192.0.2.1:1000")
	<-accepted
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, ok := <-accepted; ok {
		t.Error("accepted after Close")
	}
}

// With every place taken, Accept waits, and Close ends the waiting.
func TestConnectionsInAll(t *testing.T) {
	p := newPipes()
	l := newCapped(p, auth.Proxies{}.Trusts)
	for range maxConns {
		l.slots <- struct{}{}
	}
	done := make(chan error)
	go func() {
		_, err := l.Accept()
		done <- err
	}()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err == nil {
		t.Error("accepted one too many")
	}
}
