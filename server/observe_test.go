package server

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
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

// Whoever has an answer finds its line in the log, by the id that both have.
func TestRequestIDIsLogged(t *testing.T) {
	p := serve(t, "", "CORTEX_LOG_FORMAT=json")
	var answered []string
	for _, path := range []string{"/admin/secrets", "/nowhere", "/admin/secrets"} {
		resp, err := http.Get(p.url + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		answered = append(answered, resp.Header.Get("X-Request-Id"))
	}
	p.signal(t, syscall.SIGTERM)
	_, log := p.end(t)
	var logged []string
	for line := range strings.Lines(log) {
		var record struct{ Msg, ID string }
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Errorf("%s: %v", line, err)
		}
		if record.Msg == "request" {
			logged = append(logged, record.ID)
		}
	}
	if !slices.Equal(answered, logged) || answered[0] == "" || answered[0] == answered[2] {
		t.Errorf("answered %q, logged %q", answered, logged)
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
