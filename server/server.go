// Package server is the HTTP face of a vault: it turns requests into calls of
// package vault, and what comes back into answers. The rules are not here.
//
// [New] makes the handler. Its routes stand in routes.go, one line each: a
// pattern, who may use it, and a method that knows no HTTP. Around all of them
// lie the same few layers: a request id and a log record, headers, CORS,
// limits. [Command] is the program around the handler: it reads settings and
// secrets, opens and unseals the vault, and only then listens.
package server

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Config is what a Server needs to know.
type Config struct {
	// Vault answers the requests. It stays the caller's.
	Vault *vault.Vault
	// Log receives one record for each request. If nil, nothing is logged.
	Log *slog.Logger
	// MetricsToken lets a scraper read /metrics, besides administrators. If
	// zero, nobody else does.
	MetricsToken opaque.Bytes
	// ServerKey is what the vault says about the key of the TLS that ends here. If
	// nil, or if it returns nil, it says nothing.
	ServerKey func() *vault.ServerKey
	// OnUnseal is called when somebody has unsealed the vault over HTTP. If nil,
	// there is nothing to do then.
	OnUnseal func(context.Context) error
	Live
}

func (c Config) serverKey() func() *vault.ServerKey {
	if c.ServerKey != nil {
		return c.ServerKey
	}
	return func() *vault.ServerKey { return nil }
}

func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.New(slog.DiscardHandler)) }

// A Server answers requests. It is an [http.Handler].
type Server struct {
	vault   *vault.Vault
	log     *slog.Logger
	live    atomic.Pointer[surroundings]
	guard   *auth.Guard
	limits  limits
	waits   *limit.Seats // by source
	polls   *limit.Seats // by agent
	streams *limit.Seats
	bodies  *limit.Budget
	stats   *stats

	attempts  attempts
	serverKey func() *vault.ServerKey
	onUnseal  func(context.Context) error

	metricsToken metricsToken
	handler      http.Handler

	// closing is closed, once, when the server stops.
	closing chan struct{}
	once    sync.Once
}

// limits are those that single routes apply.
type limits struct {
	discover  *limit.Limiter[[32]byte]     // by hash of the agent
	authorize *limit.Limiter[netip.Prefix] // by source
	logins    *limit.Limiter[struct{}]     // of all sources
	poll      *limit.Limiter[[32]byte]     // by hash of the device code
	codes     *limit.Limiter[netip.Prefix] // unknown user codes, by source
	codesBy   *limit.Limiter[string]       // likewise, by who is logged in
	unseal    *limit.Limiter[netip.Prefix] // failures, by source
}

// newLimits returns limits that allow everything until they are changed.
func newLimits() limits {
	var none limit.Rate
	return limits{
		discover:  limit.New[[32]byte](none),
		authorize: limit.New[netip.Prefix](none),
		logins:    limit.New[struct{}](none),
		poll:      limit.New[[32]byte](none),
		codes:     limit.New[netip.Prefix](none),
		codesBy:   limit.New[string](none),
		unseal:    limit.New[netip.Prefix](none),
	}
}

// change makes r the limits from now on.
func (l limits) change(r limit.Rates) {
	l.discover.Change(r.Discover)
	l.authorize.Change(r.Authorize)
	l.logins.Change(r.Logins)
	l.poll.Change(r.Poll)
	l.codes.Change(r.Codes)
	l.codesBy.Change(r.Codes)
	l.unseal.Change(r.Unseal)
}

// New returns a Server. An origin that is none is an error.
func New(c Config) (*Server, error) {
	s := &Server{
		vault:     c.Vault,
		onUnseal:  c.OnUnseal,
		serverKey: c.serverKey(),
		log:       c.log(),
		bodies:    limit.NewBudget(bodyBudget),
		waits:     limit.NewSeats(maxWaits, maxStaying),
		polls:     limit.NewSeats(maxWaits, maxPolls),
		streams:   limit.NewSeats(maxStreams, maxStaying),
		closing:   make(chan struct{}),
		guard:     auth.NewGuard(c.Vault, c.rates().Failures),
		limits:    newLimits(),
	}
	if err := s.Change(c.Live); err != nil {
		return nil, err
	}
	routes := s.routes()
	s.stats, s.metricsToken = newStats(routes), newMetricsToken(c.MetricsToken)
	mux := http.NewServeMux()
	for _, r := range routes {
		mux.Handle(r.pattern, s.serve(r))
	}
	s.handler = s.observe(headers(s.crossOrigin(unrouted(mux))))
	return s, nil
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

// serve makes a route's handler: authenticate, then decode, then call, then
// answer.
func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w = routed(w)
		t := tracerOf(w)
		t.route = rt.pattern
		q := &request{
			Request: r, conn: t.ResponseWriter, client: t.client, guest: guestIn(r.Context()),
			most: maxBody, room: room{budget: s.bodies},
		}
		q.client.Placed = q.placed
		defer q.end()
		status, answer, err := s.answer(r.Context(), rt, q)
		t.by = q.By
		if err != nil {
			t.err = err
			writeProblem(w, problem(err))
			return
		}
		if err := write(w, status, answer); err != nil {
			t.err = err
		}
	})
}

// worksSealed are the routes that are there while the vault is sealed.
var worksSealed = map[string]bool{
	"GET /health": true, "GET /metrics": true, "GET /sys/seal-status": true, "POST /sys/unseal": true,
	"GET /.well-known/cortex": true, // which says what it said before, or that the vault is sealed
}

func (s *Server) answer(ctx context.Context, rt route, q *request) (status int, answer any, err error) {
	if !validPath(q.Request) {
		return 0, nil, errPath
	}
	if !worksSealed[rt.pattern] && s.vault.Sealed() {
		return 0, nil, vault.ErrSealed
	}
	if err := rt.auth(ctx, q); err != nil {
		return 0, nil, err
	}
	q.welcome(q.By.Kind != "" || q.attested != nil)
	status, answer, err = rt.endpoint(ctx, q)
	q.welcome(!q.bearer.IsZero() && err == nil) // the vault knew it
	return status, answer, err
}
