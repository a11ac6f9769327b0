package redteam

import (
	"crypto/tls"
	"net/http"
	"syscall"
	"testing"
	"time"
)

var replacedMoves = moves{
	"old-key":            func(t *testing.T) outcome { t.Parallel(); return replacedKey().met },
	"old-key-unmet":      func(t *testing.T) outcome { t.Parallel(); return replacedKey().unmet },
	"unpinned":           func(t *testing.T) outcome { t.Parallel(); return behindProxy().trusted },
	"unpinned-untrusted": func(t *testing.T) outcome { t.Parallel(); return behindProxy().untrusted },
}

// replacedKey has a thief use the key of a certificate that was replaced, and
// repeat what the vault said of it: at a host that has met the server since, and at
// one that has not.
var replacedKey = once(func() (out struct{ met, unmet outcome }) {
	t := stage
	r := newRoad(t)
	if !r.travel(t) {
		t.Fatal("nothing comes through to begin with")
	}
	met, unmet := r.station.copied(t), r.station.copied(t)
	said := r.Do(t, fetchWellKnown)
	next := authority{}.issue(t)
	r.certify(t, next)
	if err := r.program.Cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	r.awaitKey(t, next)
	visit := func(h *station) bool {
		h.start(t)
		defer h.daemon.Kill()
		return h.gets(t, r.site, r.variable, r.value)
	}
	if !visit(met) {
		t.Fatal("nobody follows to the next key")
	}
	thief := impersonate(t, r.site, r.cert)
	thief.with(func(w http.ResponseWriter, l *letter) bool {
		if l.URI != "/.well-known/cortex" {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		_, err := w.Write(said.Body)
		return err == nil
	})
	r.to(thief.addr())
	out.met, out.unmet = unless(visit(met), stopped), unless(visit(unmet), stopped)
	return out
})

// awaitKey waits until the server shows a key.
func (r *road) awaitKey(t *testing.T, c tls.Certificate) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		conn, err := tls.Dial("tcp", r.site.addr(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		shown := conn.ConnectionState().PeerCertificates[0]
		conn.Close()
		if shown.Equal(c.Leaf) {
			return
		}
	}
	t.Fatal("the server does not show its next key")
}

// behindProxy has somebody take the place of a proxy that ends TLS.
var behindProxy = once(func() (out struct{ trusted, untrusted outcome }) {
	t := stage
	ca := newAuthority(t)
	s := newSite(t, "CORTEX_TRUSTED_PROXIES=127.0.0.1")
	proxy := func(c tls.Certificate) *meddler {
		m := impersonate(t, s, c)
		m.with(func(_ http.ResponseWriter, l *letter) bool {
			l.Header.Set("X-Forwarded-Proto", "https")
			l.Header.Set("X-Forwarded-For", "192.0.2.1")
			return false
		})
		return m
	}
	r := &road{ca: ca, site: s}
	r.junction = newJunction(t, proxy(ca.issue(t)).addr())
	r.station = newStation(t, "https://"+r.junction.Addr().String(), "SSL_CERT_FILE="+ca.file)
	r.variable, _, r.value = s.secret(t)
	r.mustLogIn(t, s)
	if !r.travel(t) {
		t.Fatal("nothing comes through the proxy")
	}
	r.to(proxy(authority{}.issue(t)).addr())
	out.untrusted = unless(r.travel(t), stopped)
	r.to(proxy(ca.issue(t)).addr())
	out.trusted = unless(r.travel(t), stopped)
	return out
})
