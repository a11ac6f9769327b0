package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// observer returns what observes requests, and nothing behind it.
func observer(log *slog.Logger) *Server {
	s := &Server{stats: newStats(nil), log: log}
	s.live.Store(&surroundings{})
	return s
}

// A panic is one request's misfortune: it is answered, and logged without
// what it panicked with.
func TestPanicIsContained(t *testing.T) {
	for name, panicking := range map[string]func(){
		"text":    func() { panic("sk-canary") },
		"error":   func() { panic(errors.New("sk-canary")) },
		"value":   func() { panic(struct{ s string }{"sk-canary"}) },
		"runtime": func() { _ = []int{}[len("sk-canary")] },
	} {
		var log strings.Builder
		s := observer(slog.New(slog.NewTextHandler(&log, nil)))
		h := s.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panicking() }))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		var body map[string]string
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil || w.Code != http.StatusInternalServerError || body["error_code"] != "internal" {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(log.String()+w.Body.String(), "canary") {
			t.Errorf("%s: logged %s", name, &log)
		}
		if !strings.Contains(log.String(), "observe_test.go") && !strings.Contains(log.String(), "TestPanicIsContained") {
			t.Errorf("%s: the log does not say where: %s", name, &log)
		}
	}
}

// A handler that gives up on a connection means it.
func TestAbortPassesThrough(t *testing.T) {
	s := observer(slog.New(slog.DiscardHandler))
	h := s.observe(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("recovered %v", p)
		}
	}()
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
}

func TestUnknownErrorsSayNothing(t *testing.T) {
	p := problem(errors.New("row secret/4711 of /var/lib/cortex.db"))
	if p.Status != http.StatusInternalServerError || p.Message != "internal error" {
		t.Errorf("%+v", p)
	}
}
