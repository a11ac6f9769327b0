package server

import (
	"log/slog"
	"net"
	"net/http"
	"time"
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

// HTTPServer returns the [http.Server] that s is meant to stand behind, with
// every limit of time and size set. Its listener is the caller's.
func (s *Server) HTTPServer() *http.Server {
	srv := httpServer(s)
	srv.RegisterOnShutdown(s.hangUp)
	srv.ConnState = func(c net.Conn, state http.ConnState) {
		s.stats.connState(c, state)
		guestOf(c).stir()
	}
	srv.ConnContext = withGuest
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
