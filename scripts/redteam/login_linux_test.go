package redteam

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

var loginMoves = moves{
	"no-proofs":           noProofs,
	"no-proofs-first":     noProofsFirst,
	"relayed-login":       relayedLogin,
	"relayed-login-named": relayedLoginNamed,
}

// backdate has a meddler answer as a server from before proofs.
func (m *meddler) backdate() {
	m.with(func(w http.ResponseWriter, l *letter) bool {
		switch l.URI {
		case "/device/authorize":
			l.Body = []byte(`{"client_id":"cortex-cli"}`)
		case "/device/token":
			var poll map[string]any
			if json.Unmarshal(l.Body, &poll) == nil {
				delete(poll, "poll_ts")
				delete(poll, "poll_proof")
				l.Body = marshal(poll)
			}
		}
		return false
	})
}

// A host that has proved its key is asked for less.
func noProofs(t *testing.T) outcome {
	w := watched()
	h := w.station.copied(t)
	w.backdate()
	log, err := h.login(t, w.site)
	w.with(nil)
	if err == nil {
		return open
	}
	if !strings.Contains(log, "proof") {
		t.Fatalf("the log-in fails because of something else: %s", log)
	}
	return stopped
}

// A host that was never there is asked for less.
func noProofsFirst(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	m := newMeddler(t, s)
	m.backdate()
	h := newStation(t, m.URL)
	h.register(t, s)
	log, err := h.login(t, s)
	if err != nil {
		t.Log(log)
		return stopped
	}
	var devices []struct {
		Agent  string `json:"agent_id"`
		Proved bool   `json:"proved"`
	}
	s.Admin(t, http.MethodGet, "/admin/devices", nil, &devices)
	for _, d := range devices {
		if d.Agent == h.agent && !d.Proved {
			return open
		}
	}
	t.Fatalf("the approver does not see that nothing was proved: %+v", devices)
	return ""
}

// A host logs in at somebody who passes that on: to the vault, as it is reached
// there, or as the host has named it. Whoever approves it can see that where the host
// has said where it is.
func relayed(t *testing.T, host func(s *site, l *letter)) outcome {
	s := newSite(t)
	m := newMeddler(t, s)
	m.with(func(_ http.ResponseWriter, l *letter) bool { host(s, l); return false })
	h := newStation(t, m.URL)
	h.register(t, s)
	variable, _, value := s.secret(t)
	var read atomic.Bool
	m.answering(func(_ letter, r *http.Response) error {
		if strings.Contains(r.Header.Get("Content-Type"), "ndjson") {
			return nil
		}
		body, err := whole(r)
		if bytes.Contains(body, []byte(value)) {
			read.Store(true)
		}
		return err
	})
	var seen struct{ Origin string }
	if log, err := decide(t, h.loggingIn(), func(code string) {
		s.Admin(t, http.MethodPost, "/admin/web/device/lookup", object{"user_code": code}, &seen)
		s.Admin(t, http.MethodPost, "/admin/web/device/approve", object{"user_code": code, "agent_id": h.agent}, nil)
	}); err != nil {
		if !strings.Contains(log, "origin") {
			t.Fatal(log)
		}
		return stopped
	}
	h.start(t)
	switch {
	case !h.gets(t, s, variable, value) || !read.Load():
		return stopped
	case seen.Origin == m.URL && seen.Origin != s.URL:
		return limited
	}
	return open
}

func relayedLogin(t *testing.T) outcome {
	t.Parallel()
	return relayed(t, func(s *site, l *letter) { l.Host = s.addr() })
}

func relayedLoginNamed(t *testing.T) outcome {
	t.Parallel()
	return relayed(t, func(*site, *letter) {})
}
