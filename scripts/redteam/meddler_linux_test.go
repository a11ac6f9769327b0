package redteam

import (
	"bytes"
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A letter is a request as it was on its way.
type letter struct {
	Method, URI, Host string
	Header            http.Header
	Body              []byte
	Status            int // of the answer, 0 if there was none
}

// A meddler stands between clients and a vault, and reads, or changes, what they
// say. It speaks plain HTTP to them: what that takes away, others show.
type meddler struct {
	*httptest.Server
	site *site

	mu      sync.Mutex // guards what follows
	letters []letter
	meddle  func(w http.ResponseWriter, l *letter) (answered bool)
	answer  func(l letter, r *http.Response) error
}

func newMeddler(t *testing.T, s *site) *meddler {
	t.Helper()
	m := &meddler{site: s}
	m.Server = httptest.NewServer(m)
	t.Cleanup(m.end)
	return m
}

// impersonate is newMeddler with TLS, and a certificate.
func impersonate(t *testing.T, s *site, c tls.Certificate) *meddler {
	t.Helper()
	m := &meddler{site: s}
	m.Server = httptest.NewUnstartedServer(m)
	m.TLS = &tls.Config{Certificates: []tls.Certificate{c}}
	m.Config.ErrorLog = silent
	m.StartTLS()
	t.Cleanup(m.end)
	return m
}

// end does not wait for streams to end.
func (m *meddler) end() {
	m.CloseClientConnections()
	m.Close()
}

// addr is where it listens.
func (m *meddler) addr() string { return m.Listener.Addr().String() }

// all returns all requests so far.
func (m *meddler) all() []letter {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.letters)
}

// with has requests pass through fn, which may change or answer them.
func (m *meddler) with(fn func(w http.ResponseWriter, l *letter) (answered bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.meddle = fn
}

// answering has answers pass through fn.
func (m *meddler) answering(fn func(l letter, r *http.Response) error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = fn
}

// seen returns the requests to a path so far.
func (m *meddler) seen(path string) (list []letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.letters {
		if u, err := url.ParseRequestURI(l.URI); err == nil && u.Path == path {
			list = append(list, l)
		}
	}
	return list
}

func (m *meddler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	l := letter{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Body: body}
	m.mu.Lock()
	meddle, answer := m.meddle, m.answer
	m.mu.Unlock()
	if meddle != nil && meddle(w, &l) {
		m.keep(l)
		return
	}
	target, err := url.Parse(m.site.URL)
	if err != nil {
		panic(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1, Transport: m.site.HTTP.Transport, ErrorLog: silent,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(target)
			p.Out.Method, p.Out.Host, p.Out.Header = l.Method, l.Host, l.Header
			p.Out.Body, p.Out.ContentLength = io.NopCloser(bytes.NewReader(l.Body)), int64(len(l.Body))
		},
		ModifyResponse: func(r *http.Response) error {
			l.Status = r.StatusCode
			m.keep(l)
			if answer != nil {
				return answer(l, r)
			}
			return nil
		},
	}
	proxy.ServeHTTP(w, r)
}

func (m *meddler) keep(l letter) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.letters = append(m.letters, l)
}

// send sends a letter to the vault, and returns the status of the answer.
func (m *meddler) send(t *testing.T, l letter) int {
	t.Helper()
	req, err := http.NewRequest(l.Method, m.site.URL+l.URI, bytes.NewReader(l.Body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header, req.Host = l.Header.Clone(), l.Host
	resp, err := m.site.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// whole reads the body of an answer, and puts it back.
func whole(r *http.Response) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, err
}

// fetchWellKnown asks a server who it is.
var fetchWellKnown = servertest.Request{Method: http.MethodGet, Path: "/.well-known/cortex"}

// fetchLetter returns a fetch of a project's values, signed.
func fetchLetter(sign func(method, path string, body []byte, tokenID string) string, project, token string) servertest.Request {
	path := "/project/secrets/" + project
	return servertest.Request{Method: http.MethodGet, Path: path, Header: http.Header{
		"Authorization": {"Bearer " + token}, "X-Daemon-Attestation": {sign(http.MethodGet, path, nil, proof.AuthTokenID(token))},
	}}
}

// silent has the servers of attackers say nothing in the test's output.
var silent = log.New(io.Discard, "", 0)
