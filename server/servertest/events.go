package servertest

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// Ask sends a GET that the daemon signs for its agent, as the routes of a
// daemon want it. The query belongs to neither path nor signature.
func (a *Agent) Ask(t testing.TB, path, query string) Answer {
	t.Helper()
	return a.server.Do(t, Request{Method: http.MethodGet, Path: path + query, Header: a.Signed(path)})
}

// Signed returns the header of a GET that the daemon signs for its agent.
func (a *Agent) Signed(path string) http.Header {
	return http.Header{"X-Daemon-Attestation": {a.Sign(http.MethodGet, path, nil, proof.AgentTokenID(a.ID))}}
}

// A Stream is an open stream of events.
type Stream struct {
	lines *bufio.Scanner
	stop  context.CancelFunc
}

// Listen opens the daemon's stream of events and reads the first one. It ends
// with the test at the latest.
func (a *Agent) Listen(t testing.TB) *Stream {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(stop)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.server.URL+"/daemon/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = a.Signed("/daemon/events")
	resp, err := a.server.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	if ct := resp.Header.Get("Content-Type"); resp.StatusCode != http.StatusOK || ct != api.EventsType {
		t.Fatalf("stream: %d %s", resp.StatusCode, ct)
	}
	s := &Stream{lines: bufio.NewScanner(resp.Body), stop: stop}
	if e, ok := s.Read(t); !ok || e.Event != api.EventOpen {
		t.Fatalf("the stream begins with %+v", e)
	}
	return s
}

// Read returns the next event, and false when there will be none.
func (s *Stream) Read(t testing.TB) (e api.Event, ok bool) {
	t.Helper()
	if !s.lines.Scan() {
		return api.Event{}, false
	}
	if err := json.Unmarshal(s.lines.Bytes(), &e); err != nil {
		t.Errorf("%v in %q", err, s.lines.Bytes())
	}
	return e, true
}

// Next returns the next event that is no heartbeat. The end of the stream ends
// the test.
func (s *Stream) Next(t testing.TB) api.Event {
	t.Helper()
	for {
		e, ok := s.Read(t)
		if !ok {
			t.Fatalf("the stream ended: %v", s.lines.Err())
		}
		if e.Event != api.EventHeartbeat {
			return e
		}
	}
}

// Close hangs up.
func (s *Stream) Close() { s.stop() }
