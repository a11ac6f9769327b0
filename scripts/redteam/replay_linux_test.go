package redteam

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

var replayMoves = moves{
	"replay":              replay,
	"splice":              splice,
	"changed-description": changedDescription,
	"repeated-login":      repeatedLogin,
	"redirect":            redirect,
}

// watched is a station at work, all of whose requests a meddler has read.
var watched = once(func() (out struct {
	*meddler
	*station
	variable, value string
	begun           []letter // before anybody meddled
},
) {
	t := stage
	s := newSite(t)
	out.meddler = newMeddler(t, s)
	out.station = newStation(t, out.meddler.URL)
	out.variable, _, out.value = s.secret(t)
	out.mustLogIn(t, s)
	out.start(t)
	if !out.gets(t, s, out.variable, out.value) {
		t.Fatal("nothing comes through to begin with")
	}
	out.begun = out.all()
	return out
})

// Every request that was answered is sent once more, also to a server that was
// started anew meanwhile.
func replay(t *testing.T) outcome {
	w := watched()
	again := func() bool {
		sent := 0
		for _, l := range w.begun {
			if l.Status != http.StatusOK || l.Header.Get("X-Daemon-Attestation") == "" && l.Method == http.MethodGet {
				continue
			}
			sent++
			if status := w.send(t, l); status/100 == 2 {
				t.Logf("%s %s: %d", l.Method, l.URI, status)
				return true
			}
		}
		if sent < 5 {
			t.Fatalf("only %d requests to send again", sent)
		}
		return false
	}
	if again() {
		return open
	}
	w.site.stop(t)
	w.site.serve(stage)
	return unless(again(), stopped)
}

// A request is held back, and others are made of it; then it is sent as it was.
func splice(t *testing.T) outcome {
	w := watched()
	var went []string
	w.with(func(_ http.ResponseWriter, l *letter) bool {
		for name, change := range map[string]func(l *letter){
			"path":   func(l *letter) { l.URI = strings.Replace(l.URI, "/app", "/other", 1) },
			"method": func(l *letter) { l.Method = http.MethodPut },
			"body":   func(l *letter) { l.Body = bytes.Replace(l.Body, []byte(`"app"`), []byte(`"ape"`), 1) },
			"space":  func(l *letter) { l.Body = bytes.Replace(l.Body, []byte("{"), []byte("{ "), 1) },
		} {
			other := *l
			if change(&other); other.URI == l.URI && other.Method == l.Method && bytes.Equal(other.Body, l.Body) {
				continue
			}
			if strings.Contains(l.URI, "/project/secrets") || l.URI == "/agent/discover" {
				if status := w.send(t, other); status/100 == 2 {
					went = append(went, l.URI+": "+name)
				}
			}
		}
		return false
	})
	defer w.with(nil)
	before := len(w.seen("/project/secrets/app"))
	w.site.Admin(t, http.MethodPost, "/admin/projects/app/revoke", nil, nil) // for another discovery
	if !w.gets(t, w.site, w.variable, w.value) || len(w.seen("/project/secrets/app")) == before {
		t.Fatal("the request itself does not come through")
	}
	t.Log(went)
	return unless(len(went) > 0, stopped)
}

// The daemon says for whom it asks; somebody says something else.
func changedDescription(t *testing.T) outcome {
	w := watched()
	var tried, went int
	w.with(func(_ http.ResponseWriter, l *letter) bool {
		if !strings.Contains(l.URI, "/project/secrets") {
			return false
		}
		for name := range l.Header {
			if !strings.HasPrefix(name, "X-Cortex-") || name == "X-Cortex-Caller-Proof" {
				continue
			}
			other := *l
			other.Header = l.Header.Clone()
			other.Header.Set(name, l.Header.Get(name)+"1")
			tried++
			if w.send(t, other)/100 == 2 {
				went++
			}
		}
		return false
	})
	defer w.with(nil)
	w.site.Admin(t, http.MethodPost, "/admin/projects/app/revoke", nil, nil)
	if !w.gets(t, w.site, w.variable, w.value) || tried < 3 {
		t.Fatalf("%d parts of the description were changed", tried)
	}
	return unless(went > 0, stopped)
}

// What began a log-in begins another.
func repeatedLogin(t *testing.T) outcome {
	w := watched()
	list := w.seen("/device/authorize")
	if len(list) == 0 || list[0].Status != http.StatusOK {
		t.Fatalf("%+v", list)
	}
	return unless(w.send(t, list[0])/100 == 2, stopped)
}

// Every request is answered with a redirect to somebody who listens.
func redirect(t *testing.T) outcome {
	w := watched()
	elsewhere := newMeddler(t, w.site)
	for _, status := range []int{http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		var sent atomic.Int64
		w.with(func(rw http.ResponseWriter, l *letter) bool {
			sent.Add(1)
			rw.Header().Set("Location", elsewhere.URL+l.URI)
			rw.WriteHeader(status)
			return true
		})
		w.site.Admin(t, http.MethodPost, "/admin/projects/app/revoke", nil, nil)
		got := w.gets(t, w.site, w.variable, w.value)
		_, _, err := w.cortex("seal-status", "--url", w.station.url)
		w.with(nil)
		if sent.Load() < 2 {
			t.Fatal("nobody asked anything")
		}
		if arrived := elsewhere.all(); got || err == nil || len(arrived) > 0 {
			t.Logf("%d: %+v", status, arrived)
			return open
		}
	}
	if resp, err := http.Get(elsewhere.URL + "/health"); err != nil || resp.Body.Close() != nil || len(elsewhere.all()) != 1 {
		t.Fatal("nobody would have heard of it")
	}
	return stopped
}
