package server

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/vault/access"
)

// A trace is what becomes of one request. It is filled in as the request
// travels and logged once. It holds the route's pattern and never the path:
// people put secrets into the wrong places.
type trace struct {
	id     string
	route  string
	client auth.Client
	by     access.Caller
	status int
	err    error
}

// A tracer is the ResponseWriter that carries the trace.
type tracer struct {
	http.ResponseWriter
	trace
}

// WriteHeader notes the first status.
func (t *tracer) WriteHeader(status int) {
	if t.status == 0 {
		t.status = status
	}
	t.ResponseWriter.WriteHeader(status)
}

// Write is a 200 where nothing else was said.
func (t *tracer) Write(b []byte) (int, error) {
	if t.status == 0 {
		t.status = http.StatusOK
	}
	return t.ResponseWriter.Write(b)
}

// Unwrap lets [http.ResponseController] through.
func (t *tracer) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// tracerOf returns the tracer that w is, or wraps.
func tracerOf(w http.ResponseWriter) *tracer {
	for {
		switch t := w.(type) {
		case *tracer:
			return t
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return &tracer{ResponseWriter: w} // unreachable: observe is the outermost layer
		}
	}
}

// observe gives every request an id, contains its panics, and logs it.
func (s *Server) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		t := &tracer{ResponseWriter: w, trace: trace{id: rand.Text(), client: auth.ClientOf(r, s.live.Load().proxies)}}
		w.Header().Set("X-Request-Id", t.id)
		s.stats.inFlight.Add(1)
		defer s.stats.inFlight.Add(-1)
		defer func() {
			if p := recover(); p != nil {
				s.contain(t, p)
			}
			took := time.Since(start)
			s.stats.answered(t.route, t.status, took)
			s.logTrace(r.Context(), r.Method, t.trace, took)
		}()
		next.ServeHTTP(t, r)
	})
}

// contain answers for a handler that panicked. What it panicked with may hold
// anything, so the log gets its type and where it came from.
func (s *Server) contain(t *tracer, p any) {
	if p == http.ErrAbortHandler { //nolint:errorlint // the very value, by its contract
		panic(p)
	}
	s.log.Error("panic", "id", t.id, "route", t.route, "type", typeName(p), "at", panicSite())
	t.err = errPanic
	if t.status == 0 {
		writeProblem(t, problem(errPanic))
	}
}

var errPanic = errors.New("the handler panicked")

func typeName(p any) string {
	switch e := p.(type) {
	case runtime.Error:
		return e.Error() // made by the runtime: an index, a nil pointer
	case string, error:
		return "text"
	}
	return "other"
}

// panicSite returns the functions and lines between the panic and the server.
func panicSite() []string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	var site []string
	for {
		f, more := frames.Next()
		site = append(site, f.Function+":"+strconv.Itoa(f.Line))
		if !more || len(site) == 16 {
			return site
		}
	}
}

func (s *Server) logTrace(ctx context.Context, method string, t trace, took time.Duration) {
	level := slog.LevelInfo
	if t.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !s.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("id", t.id), slog.String("method", knownMethod(method)), slog.String("route", t.route),
		slog.Int("status", t.status), slog.Duration("took", took), slog.String("source", t.client.Origin.Source),
	}
	if t.by.Kind != "" {
		attrs = append(attrs, slog.String("by", string(t.by.Kind)+":"+t.by.Name))
	}
	if t.err != nil {
		attrs = append(attrs, slog.String("err", t.err.Error()))
	}
	s.log.LogAttrs(ctx, level, "request", attrs...)
}

// knownMethod keeps what a stranger calls a method out of the log.
func knownMethod(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodOptions, http.MethodPatch:
		return m
	}
	return "other"
}
