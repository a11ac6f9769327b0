package server

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
)

// How long a client may take, and how much it may send before it is known.
const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = 30 * time.Second
	writeTimeout      = 60 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 16<<10 - 4<<10 // package net/http adds 4 KiB
)

// What one HTTP/2 connection may have under way. Without these, a few
// connections that never finish a request hold what thousands should.
const (
	maxHTTP2Streams  = 16
	maxConnBuffer    = 256 << 10 // received and not read, in all its streams
	maxStreamBuffer  = 64 << 10  // in each of them
	http2WriteStalls = 30 * time.Second
)

// How many connections there may be, in all and from one source.
const (
	maxConns       = 2048
	maxConnsSource = 256
)

// HTTPServer returns the [http.Server] that s is meant to stand behind, with
// every limit of time and size set. Its listener is the caller's.
func (s *Server) HTTPServer() *http.Server {
	srv := httpServer(s)
	srv.RegisterOnShutdown(s.hangUp)
	srv.ConnState = s.stats.connState
	srv.ErrorLog = slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)
	return srv
}

func httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxHTTP2Streams,
			MaxReceiveBufferPerConnection: maxConnBuffer,
			MaxReceiveBufferPerStream:     maxStreamBuffer,
			WriteByteTimeout:              http2WriteStalls,
		},
	}
}

// A capped listener limits connections. Those above the limit for all wait
// their turn to be accepted; those above the limit of their source are closed,
// so that nobody keeps the others waiting. Proxies speak for many, and have no
// limit of their own.
type capped struct {
	net.Listener
	trusts func(netip.Addr) bool
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once

	mu   sync.Mutex // guards open
	open map[netip.Prefix]int
}

// newCapped limits l, but for those that trusts says are proxies.
func newCapped(l net.Listener, trusts func(netip.Addr) bool) *capped {
	return &capped{
		Listener: l, trusts: trusts,
		slots: make(chan struct{}, maxConns), closed: make(chan struct{}), open: map[netip.Prefix]int{},
	}
}

// Accept returns the next connection that is within the limits.
func (c *capped) Accept() (net.Conn, error) {
	for {
		select {
		case c.slots <- struct{}{}:
		case <-c.closed:
			return nil, net.ErrClosed
		}
		conn, err := c.Listener.Accept()
		if err != nil {
			<-c.slots
			return nil, err
		}
		source, ok := c.enter(conn)
		if ok {
			return &cappedConn{Conn: conn, leave: func() { c.leave(source) }}, nil
		}
		<-c.slots
		conn.Close()
	}
}

// Close also stops an Accept that waits for its turn.
func (c *capped) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Listener.Close()
}

func (c *capped) enter(conn net.Conn) (netip.Prefix, bool) {
	var addr netip.Addr
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		addr = tcp.AddrPort().Addr().Unmap()
	}
	source := limit.Source(addr)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open[source] >= maxConnsSource && !c.trusts(addr) {
		return source, false
	}
	c.open[source]++
	return source, true
}

func (c *capped) leave(source netip.Prefix) {
	c.mu.Lock()
	if c.open[source]--; c.open[source] == 0 {
		delete(c.open, source)
	}
	c.mu.Unlock()
	<-c.slots
}

// A cappedConn gives its place back when it is closed.
type cappedConn struct {
	net.Conn
	once  sync.Once
	leave func()
}

// Close closes the connection.
func (c *cappedConn) Close() error {
	defer c.once.Do(c.leave)
	return c.Conn.Close()
}
