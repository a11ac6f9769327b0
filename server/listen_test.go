package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
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
