// Package servertest gives tests a live server: a fresh vault in a temporary
// directory, unsealed, behind HTTP on a loopback port, with attestation
// required as in earnest. Key derivation is as cheap as it may be.
//
// A [Server] speaks raw HTTP, so that tests see what is on the wire. An
// [Agent] is an enrolled one: registered, approved, attested.
package servertest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/scripts/e2e/logtest"
	"github.com/cortex-auth/cortex/server"
	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/notify"
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Password unseals every vault of this package.
const Password = "correct horse battery staple"

// Params is the least a key derivation may cost.
var Params = keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}

// Config changes a Server. The zero value is what nearly every test wants.
type Config struct {
	// Limits are the rate limits. If zero, those of [limit.Defaults], but for
	// authorize: tests enrol many agents from one address.
	Limits limit.Rates
	// Unlimited means no rate limits at all.
	Unlimited bool
	// NoAttestation switches request signing off.
	NoAttestation bool
	// AttestLimit is as in [vault.Config].
	AttestLimit int
	// RequireProof is RequireDeviceProof and RequireAttestProof of
	// [vault.Config].
	RequireProof bool
	// TwoPerson is as in [vault.Config].
	TwoPerson bool
	// MetricsToken is as in [server.Config].
	MetricsToken string
	// Proxies and Origins are as in [server.Config].
	Proxies auth.Proxies
	Origins []string
	// TLS serves HTTPS and HTTP/2, with a certificate that Server.HTTP trusts.
	TLS bool
	// ServerKey is as in [server.Config].
	ServerKey func() *vault.ServerKey
	// Timeout is how long a request may take to be read, and to be answered. If
	// zero, as long as in earnest.
	Timeout time.Duration
	// FreezeOnHoneyName is as in [vault.Config].
	FreezeOnHoneyName bool
	// Direct opens no port: [Server.Do] calls the handler itself. That is for
	// tests in a synctest bubble, where time goes only while nothing waits for
	// a network.
	Direct bool
}

func (c Config) limits() limit.Rates {
	if c.Limits != (limit.Rates{}) {
		return c.Limits
	}
	rates := limit.Defaults()
	rates.Authorize = limit.Rate{}
	return rates
}

// A Server is a live server.
type Server struct {
	// URL is where it listens, without a trailing slash; empty if it does not.
	URL string
	// AdminToken is its administrator's.
	AdminToken string
	// HTTP is a client that trusts it.
	HTTP *http.Client
	// Stop stops it as a signal would: it answers what is under way, and
	// returns when that is done. It is nil where nothing listens.
	Stop func(context.Context) error
	// Vault and DB are what it stands on.
	Vault *vault.Vault
	DB    *store.DB
	// Handler is the server itself.
	Handler *server.Server
	// Notifier delivers its messages; nil if it opens no port.
	Notifier *notify.Dispatcher

	log *logtest.Log
}

// New returns a Server for the length of a test.
func New(t testing.TB) *Server { return With(t, Config{}) }

// With returns a changed Server for the length of a test.
func With(t testing.TB, c Config) *Server {
	t.Helper()
	s := &Server{AdminToken: strings.Repeat("admin-token/", 3), log: &logtest.Log{}}
	log := slog.New(slog.NewTextHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s.open(t, c, log)
	var err error
	s.Handler, err = server.New(server.Config{
		Vault: s.Vault, MetricsToken: opaque.New([]byte(c.MetricsToken)), Log: log, ServerKey: c.ServerKey,
		Live: server.Live{Limits: c.limits(), Unlimited: c.Unlimited, Proxies: c.Proxies, Origins: c.Origins},
	})
	if err != nil {
		t.Fatal(err)
	}
	if !c.Direct {
		s.notify(t, log)
		s.listen(t, c)
	}
	return s
}

// notify delivers what the vault has to tell, while the test runs.
func (s *Server) notify(t testing.TB, log *slog.Logger) {
	ctx, cancel := context.WithCancel(context.Background())
	s.Notifier = notify.New(notify.Config{Vault: s.Vault, Log: log})
	var running sync.WaitGroup
	running.Go(func() { _ = s.Notifier.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
	})
}

func (s *Server) open(t testing.TB, c Config, log *slog.Logger) {
	t.Helper()
	var err error
	_, measured := t.(*testing.B)
	s.DB, err = store.Open(store.Options{Path: filepath.Join(t.TempDir(), "cortex.db"), Log: log, TestOnlyTwice: !measured})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.DB.Close(); err != nil {
			t.Error(err)
		}
	})
	s.Vault = vault.New(vault.Config{
		DB: s.DB, Log: log, Params: Params, TestOnlyAccountCost: Params, RequireAttestation: !c.NoAttestation, AttestLimit: c.AttestLimit,
		TwoPerson: c.TwoPerson, RequireDeviceProof: c.RequireProof, RequireAttestProof: c.RequireProof,
		FreezeOnHoneyName: c.FreezeOnHoneyName,
	})
	ctx := context.Background()
	if err := s.Vault.Init(ctx, opaque.New([]byte(Password))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Vault.Close(); err != nil {
			t.Error(err)
		}
	})
	if _, err := s.Vault.UseAdminToken(ctx, opaque.New([]byte(s.AdminToken))); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) listen(t testing.TB, c Config) {
	ts := httptest.NewUnstartedServer(nil)
	ts.Config = s.Handler.HTTPServer()
	if c.Timeout > 0 {
		ts.Config.ReadTimeout, ts.Config.WriteTimeout = c.Timeout, c.Timeout
	}
	s.Stop = ts.Config.Shutdown
	ts.EnableHTTP2 = true
	if c.TLS {
		ts.StartTLS()
	} else {
		ts.Start()
	}
	t.Cleanup(ts.Close)
	s.URL, s.HTTP = ts.URL, ts.Client()
}

// Log returns everything that was logged so far.
func (s *Server) Log() string { return s.log.String() }

// A Request is a request in the making.
type Request struct {
	// Method and Path are as on the request line; the query belongs to Path.
	Method, Path string
	// Header is what to send.
	Header http.Header
	// Body is sent as it is where it is bytes or a string, else as JSON. The
	// content type is set to JSON unless Header has one.
	Body any
}

// An Answer is a whole answer.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body.
func (a Answer) JSON(t testing.TB, into any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, into); err != nil {
		t.Fatalf("%v in %q", err, a.Body)
	}
}

// Code returns the error code of the body, "" if there is none.
func (a Answer) Code() string {
	var e struct {
		Code string `json:"error_code"`
	}
	_ = json.Unmarshal(a.Body, &e)
	return e.Code
}

// Do sends a request.
func (s *Server) Do(t testing.TB, r Request) Answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), r.Method, s.URL+r.Path, bytes.NewReader(encode(t, r.Body)))
	if err != nil {
		t.Fatal(err)
	}
	if r.Body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, values := range r.Header {
		req.Header[name] = values
	}
	if s.HTTP == nil {
		return s.direct(req)
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return Answer{resp.StatusCode, resp.Header, body}
}

// direct hands a request to the handler as if it came from this machine.
func (s *Server) direct(req *http.Request) Answer {
	req.RemoteAddr, req.Host = "127.0.0.1:4711", "vault.test"
	w := httptest.NewRecorder()
	s.Handler.ServeHTTP(w, req)
	return Answer{w.Code, w.Header(), w.Body.Bytes()}
}

func encode(t testing.TB, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case []byte:
		return b
	case string:
		return []byte(b)
	}
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Admin sends a request with the admin token, and decodes the answer into out
// unless it is nil. An answer outside 2xx ends the test.
func (s *Server) Admin(t testing.TB, method, path string, body, out any) {
	t.Helper()
	a := s.TryAdmin(t, method, path, body)
	if a.Status/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	if out != nil {
		a.JSON(t, out)
	}
}

// TryAdmin sends a request with the admin token and returns the answer.
func (s *Server) TryAdmin(t testing.TB, method, path string, body any) Answer {
	t.Helper()
	return s.Do(t, Request{Method: method, Path: path, Header: http.Header{"X-Admin-Token": {s.AdminToken}}, Body: body})
}
