package redteam

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"testing"
	"time"
)

// What another server tries in the place of a vault that is away.
var otherServerMoves = moves{
	"server-while-away": serverWhileAway,
	"port-while-away":   portWhileAway,
}

// Another server answers at the vault's address, with a certificate of its own and with one
// of an authority that the host trusts, while the daemon goes on with what it holds.
func serverWhileAway(t *testing.T) outcome {
	t.Parallel()
	r := newRoad(t)
	r.Admin(t, http.MethodPut, "/admin/projects/app/settings", object{"offline_ttl_seconds": 3600}, nil)
	r.station.start(t)
	if !r.gets(t, r.site, r.variable, r.value) {
		t.Fatal("nothing is delivered to begin with")
	}
	r.site.stop(t)
	waits := false
	for name, cert := range map[string]tls.Certificate{"of its own": authority{}.issue(t), "signed": r.ca.issue(t)} {
		fake := impersonate(t, r.site, cert)
		fake.with(func(w http.ResponseWriter, _ *letter) bool {
			http.Error(w, `{"error":"frozen","error_code":"unauthorized"}`, http.StatusUnauthorized)
			return true
		})
		r.to(fake.addr())
		before := len(r.listened())
		goes := r.gets(t, r.site, r.variable, r.value)
		r.to("127.0.0.1:1")
		fake.CloseClientConnections()
		if !r.gets(t, r.site, r.variable, r.value) {
			t.Logf("%s: what is held went", name)
			return open
		}
		waits = waits || !goes
		if len(r.listened()) == before {
			t.Fatalf("%s: nobody goes there", name)
		}
		for _, l := range fake.all() {
			if l.URI != fetchWellKnown.Path || l.Header.Get("Authorization") != "" || l.Header.Get("X-Daemon-Attestation") != "" || len(l.Body) > 0 {
				t.Logf("%s: it is asked %s %s", name, l.Method, l.URI)
				return open
			}
		}
	}
	r.serve(t)
	r.to(r.site.addr())
	for end := time.Now().Add(patience); len(r.trail(t, "offline_use")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Log("the vault is not told of what was used")
			return open
		}
	}
	if waits {
		return limited
	}
	return stopped
}

// Another user listens where a vault on this machine spoke plain HTTP, and answers as it did,
// with another value.
func portWhileAway(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	m := newMeddler(t, s)
	h := newStation(t, m.URL)
	variable, _, value := s.secret(t)
	answers := make(chan []byte, 8)
	m.answering(func(l letter, r *http.Response) error {
		if l.URI != "/project/secrets/app" {
			return nil
		}
		body, err := whole(r)
		answers <- body
		return err
	})
	h.mustLogIn(t, s)
	h.start(t)
	if !h.gets(t, s, variable, value) {
		t.Fatal("nothing is delivered to begin with")
	}
	answer, other := <-answers, canary()
	s.stop(t)
	m.with(func(w http.ResponseWriter, l *letter) bool {
		if l.URI != "/project/secrets/app" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(bytes.ReplaceAll(answer, []byte(value), []byte(other)))
		return true
	})
	return unless(h.gets(t, s, variable, other), stopped)
}
