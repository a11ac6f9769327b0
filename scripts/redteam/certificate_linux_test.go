package redteam

import (
	"bytes"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

var certificateMoves = moves{
	"listen":                   listen,
	"old-tls":                  oldTLS,
	"plain-http":               plainHTTP,
	"own-certificate":          ownCertificate,
	"signed-certificate":       signedCertificate,
	"first-certificate":        firstCertificate,
	"first-signed-certificate": firstSignedCertificate,
}

// A road is a site with TLS, a station that is logged in there by the server's key,
// and a junction between them.
type road struct {
	*site
	*junction
	*station
	ca              authority // which the station's host trusts
	cert            tls.Certificate
	variable, value string
}

func newRoad(t *testing.T) *road {
	t.Helper()
	r := &road{ca: newAuthority(t)}
	r.cert = authority{}.issue(t)
	r.site = secureSite(t, r.cert)
	r.junction = newJunction(t, r.site.addr())
	r.station = newStation(t, "https://"+r.junction.Addr().String(), "SSL_CERT_FILE="+r.ca.file)
	r.variable, _, r.value = r.site.secret(t)
	r.mustLogIn(t, r.site, "--pin", fingerprint(r.cert))
	return r
}

// travel has a station with the road's log-in use it, and reports whether it gets
// what it asks for.
func (r *road) travel(t *testing.T) bool {
	t.Helper()
	h := r.station.copied(t)
	h.start(t)
	defer h.daemon.Kill()
	return h.gets(t, r.site, r.variable, r.value)
}

// highway is a road for moves that take turns on it.
var highway = once(func() *road { return newRoad(stage) })

func listen(t *testing.T) outcome {
	r := highway()
	if !r.travel(t) {
		t.Fatal("nothing comes through")
	}
	heard := r.listened()
	if len(heard) < 5000 {
		t.Fatalf("only %d bytes were heard", len(heard))
	}
	// In clear it is all heard.
	s := shared()
	j := newJunction(t, s.addr())
	variable, _, value := s.secret(t)
	a := s.agent(t)
	token := a.Obtain(t, "app", variable).Token
	near := *s.Server
	near.URL = "http://" + j.Addr().String()
	near.Do(t, fetchLetter(a.Sign, "app", token))
	if !holds(j.listened(), value) || !holds(j.listened(), token) {
		t.Fatal("not even what is said in clear is heard")
	}
	for _, secret := range []string{r.value, r.variable, r.station.agent, r.AdminToken} {
		if holds(heard, secret) {
			return open
		}
	}
	return stopped
}

// oldTLS offers nothing newer than TLS 1.1, as a client and as a server.
func oldTLS(t *testing.T) outcome {
	r := highway()
	dial := func(most uint16) error {
		c, err := tls.Dial("tcp", r.site.addr(), &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: most})
		if err == nil {
			c.Close()
		}
		return err
	}
	asked := func(most uint16) bool {
		var letters []string
		old := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { letters = append(letters, r.URL.Path) }))
		old.Config.ErrorLog = silent
		old.TLS = &tls.Config{Certificates: []tls.Certificate{r.cert}, MinVersion: tls.VersionTLS10, MaxVersion: most}
		old.StartTLS()
		r.station.cortex("seal-status", "--url", old.URL, "--pin", fingerprint(r.cert))
		old.Close()
		return len(letters) > 0
	}
	if err := dial(tls.VersionTLS12); err != nil {
		t.Fatalf("the server speaks no TLS 1.2: %v", err)
	}
	if !asked(tls.VersionTLS12) {
		t.Fatal("the client speaks no TLS 1.2")
	}
	return unless(dial(tls.VersionTLS11) == nil || asked(tls.VersionTLS11), stopped)
}

// A server that speaks no TLS, at an address of this machine that others have, too.
func plainHTTP(t *testing.T) outcome {
	t.Parallel()
	l, err := net.Listen("tcp", outward(t)+":0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	came := 0
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Listener = l
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		mu.Lock()
		defer mu.Unlock()
		if s == http.StateNew {
			came++
		}
	}
	server.Start()
	defer server.Close()
	h := newStation(t, server.URL)
	h.register(t, shared())
	for _, verb := range [][]string{
		{"seal-status", "--url", h.url},
		{"daemon", "login", "--agent-id", h.agent, "--url", h.url, "--no-browser"},
		{"discover", "--project", "app", "--agent-id", h.agent, "--url", h.url},
	} {
		if _, stderr, err := h.cortex(verb...); err == nil || !strings.Contains(stderr, "plain http") {
			t.Logf("%q: %v %s", verb, err, stderr)
			return open
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if came > 0 {
		return open
	}
	mu.Unlock()
	resp, err := http.Get(server.URL)
	mu.Lock()
	if err != nil || resp.Body.Close() != nil || came != 1 {
		t.Fatalf("nobody would have heard of it: %v", err)
	}
	return stopped
}

// outward returns an address of this machine that is not its own alone.
func outward(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			return n.IP.String()
		}
	}
	t.Fatal("this machine has no address but its own")
	return ""
}

// stand has somebody with a certificate stand in the way of a station that is
// logged in. What gets out of him goes on to the vault.
func (r *road) stand(t *testing.T, c tls.Certificate) outcome {
	t.Helper()
	man := impersonate(t, r.site, c)
	r.to(man.addr())
	defer r.to(r.site.addr())
	if r.travel(t) {
		return open
	}
	for _, l := range man.all() {
		if l.URI != "/.well-known/cortex" || len(l.Body) > 0 || l.Header.Get("Authorization") != "" || l.Header.Get("X-Daemon-Attestation") != "" {
			t.Logf("%s %s %v", l.Method, l.URI, l.Header)
			return open
		}
	}
	if r.to(r.site.addr()); !r.travel(t) {
		t.Fatal("without him it does not work either")
	}
	return stopped
}

func ownCertificate(t *testing.T) outcome {
	return highway().stand(t, authority{}.issue(t))
}

func signedCertificate(t *testing.T) outcome {
	r := highway()
	return r.stand(t, r.ca.issue(t))
}

// A host that was never there meets somebody else.
func firstCertificate(t *testing.T) outcome {
	t.Parallel()
	s := secureSite(t, authority{}.issue(t))
	c := authority{}.issue(t)
	man := impersonate(t, s, c)
	h := newStation(t, man.URL)
	if _, err := h.login(t, s); err == nil {
		return open
	}
	for _, l := range man.all() {
		if l.Method != http.MethodGet {
			return open
		}
	}
	if _, stderr, err := h.cortex("seal-status", "--url", h.url, "--pin", fingerprint(c)); err != nil {
		t.Fatalf("whoever confirms the key is not let through: %v\n%s", err, stderr)
	}
	return stopped
}

func firstSignedCertificate(t *testing.T) outcome {
	t.Parallel()
	s, ca := secureSite(t, authority{}.issue(t)), newAuthority(t)
	man := impersonate(t, s, ca.issue(t))
	h := newStation(t, man.URL, "SSL_CERT_FILE="+ca.file)
	variable, _, value := s.secret(t)
	var mu sync.Mutex
	var read bool
	man.answering(func(l letter, r *http.Response) error {
		body, err := whole(r)
		mu.Lock()
		defer mu.Unlock()
		read = read || strings.Contains(l.URI, "/project/secrets") && bytes.Contains(body, []byte(value))
		return err
	})
	if log, err := h.login(t, s); err != nil {
		t.Log(log)
		return stopped
	}
	h.start(t)
	got := h.gets(t, s, variable, value)
	mu.Lock()
	defer mu.Unlock()
	return unless(got && read, stopped)
}
