package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A farConn comes from an address.
type farConn struct {
	net.Conn
	from net.Addr
}

func (c farConn) RemoteAddr() net.Addr { return c.from }

// dialFrom connects from an address.
func (p *pipes) dialFrom(addr string) net.Conn {
	c, s := net.Pipe()
	p.conns <- farConn{s, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(addr), 1000))}
	return c
}

// A caller sends requests on a connection of its own.
type caller struct {
	net.Conn
	answers *bufio.Reader
}

func (p *pipes) call(addr string) caller {
	c := p.dialFrom(addr)
	return caller{c, bufio.NewReader(c)}
}

func (c caller) post(t *testing.T, path, body string) {
	t.Helper()
	if _, err := fmt.Fprintf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body); err != nil {
		t.Fatal(err)
	}
}

func (c caller) wantStatus(t *testing.T, want int) {
	t.Helper()
	resp, err := http.ReadResponse(c.answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != want {
		t.Errorf("status %d, want %d", resp.StatusCode, want)
	}
}

// closed reports whether the other end has hung up.
func (c caller) closed() bool {
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond)) // which a closed one does not need
	_, err := c.answers.ReadByte()
	return errors.Is(err, io.EOF)
}

// Who waits for its turn to try a password keeps its connection, however many
// come from the same place. Who has no place there keeps nothing.
func TestWhoTriesAPasswordStays(t *testing.T) {
	const unseal = `{"password":"correct horse battery staple"}`
	for _, tc := range []struct {
		from, path, body string
		status           int
	}{
		{"192.0.2.1", "/login", `{"name":"alice","password":"a wrong password"}`, http.StatusUnauthorized},
		{"127.0.0.1", "/sys/unseal", unseal, http.StatusOK},
		{"::1", "/sys/unseal", unseal, http.StatusOK},
		{"::ffff:127.0.0.1", "/sys/unseal", unseal, http.StatusOK},
	} {
		t.Run(tc.from+tc.path, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, l := heldServer(t, tc.path == "/sys/unseal")
				done, err := s.guard.Turn(t.Context(), auth.Client{})
				if err != nil {
					t.Fatal(err)
				}
				waiting, refused := l.call(tc.from), l.call(tc.from)
				waiting.post(t, tc.path, tc.body)
				synctest.Wait()
				refused.post(t, tc.path, tc.body)
				refused.wantStatus(t, http.StatusTooManyRequests)
				for range maxConnsSource {
					time.Sleep(time.Millisecond)
					l.dialFrom(tc.from)
				}
				if !refused.closed() {
					t.Error("it stays without a place")
				}
				done()
				waiting.wantStatus(t, tc.status)
				for range maxConnsSource {
					time.Sleep(time.Millisecond)
					l.dialFrom(tc.from)
				}
				if !waiting.closed() {
					t.Error("it stays once it is answered")
				}
			})
		})
	}
}

// heldServer is a server behind its guests.
func heldServer(t *testing.T, sealed bool) (*Server, *pipes) {
	t.Helper()
	v := vaulttest.On(t, storetest.New(t), vault.Config{})
	if sealed {
		if err := v.Seal(t.Context(), vaulttest.Admin); err != nil {
			t.Fatal(err)
		}
	}
	s, err := New(Config{Vault: v})
	if err != nil {
		t.Fatal(err)
	}
	l, srv := newPipes(), s.HTTPServer()
	go srv.Serve(newGuests(l, s.trusts))
	t.Cleanup(func() { srv.Close() })
	return s, l
}
