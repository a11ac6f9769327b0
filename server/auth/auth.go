// Package auth finds out who sent a request. It reads credentials out of
// headers, [access.Origin] out of the connection, and has the vault say whom
// they belong to. It reads no bodies.
package auth

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"time"

	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A Guard authenticates requests and counts those that fail.
//
// Agents and daemons hold keys and random tokens, which nobody guesses: good
// ones always pass, however often the same source failed, so that a stranger
// behind the same address locks nobody out. Over the limit a failure is merely
// answered with an *[limit.Exceeded]. The administrator's token may have been
// chosen by a person: over the limit it is not even looked at.
type Guard struct {
	vault  *vault.Vault
	admins *limit.Limiter[netip.Prefix]
	others *limit.Limiter[netip.Prefix]
	turns  *limit.Turns[netip.Prefix]
}

const (
	// turnPlaces is how many sources wait for their turn.
	turnPlaces = 16
	// MaxTurn is the longest that a request waits for its turn.
	MaxTurn = 2 * time.Minute
)

// NewGuard returns a Guard that allows each source that many failures.
func NewGuard(v *vault.Vault, failures limit.Rate) *Guard {
	return &Guard{
		vault:  v,
		admins: limit.New[netip.Prefix](failures),
		others: limit.New[netip.Prefix](failures),
		turns:  limit.NewTurns[netip.Prefix](turnPlaces),
	}
}

// Change makes failures the limit from now on.
func (g *Guard) Change(failures limit.Rate) {
	g.admins.Change(failures)
	g.others.Change(failures)
}

// A Client is the far end of a request: where it came from, and the key its
// failures are counted under.
type Client struct {
	// Origin is what the vault is told.
	Origin access.Origin
	// Source is the client's address as limits see it.
	Source netip.Prefix
	// Placed is called, if it is not nil, when a request of the client has a place
	// among those that try a password: there are few, and they may take long.
	Placed func()
}

// Loopback reports whether the client is on this machine.
func (c Client) Loopback() bool { return c.Source.IsValid() && c.Source.Addr().IsLoopback() }

// thisMachine is the source of all who are on it.
var thisMachine = netip.MustParsePrefix("127.0.0.0/8")

// Turn waits until the client may try a password, and returns what ends its
// turn. Passwords are tried one at a time, because each takes much memory, and
// whoever is on this machine comes before the network. It is an
// *[limit.Exceeded] where too many wait.
func (g *Guard) Turn(ctx context.Context, c Client) (done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, MaxTurn, &limit.Exceeded{After: time.Second})
	defer cancel()
	source := c.Source
	if c.Loopback() {
		source = thisMachine
	}
	done, err = g.turns.Wait(ctx, source, c.Loopback(), c.Placed)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return done, err
}

// Admin returns the administrator for the header X-Admin-Token.
func (g *Guard) Admin(ctx context.Context, h http.Header, c Client) (access.Caller, error) {
	token, err := AdminToken(h)
	if err != nil {
		return access.Caller{}, err
	}
	defer token.Wipe()
	if err := g.admins.Check(c.Source); err != nil {
		return access.Caller{}, err
	}
	by, err := g.vault.AuthenticateAdmin(ctx, token, c.Origin)
	if failed(err) {
		// Exactly the failure that goes over the limit may find it exceeded
		// by others that ran beside it; both answers say no.
		if over := g.admins.Take(c.Source); over != nil {
			return access.Caller{}, over
		}
	}
	return by, err
}

// Login checks the password of an account, when it is the client's turn.
func (g *Guard) Login(ctx context.Context, c Client, name string, password opaque.Bytes) (vault.LoginResult, error) {
	if err := g.admins.Check(c.Source); err != nil {
		return vault.LoginResult{}, err
	}
	done, err := g.Turn(ctx, c)
	if err != nil {
		return vault.LoginResult{}, err
	}
	defer done()
	r, err := g.vault.Login(ctx, c.Origin, name, password)
	if failed(err) {
		if over := g.admins.Take(c.Source); over != nil {
			return vault.LoginResult{}, over
		}
	}
	return r, err
}

// Scraper lets a scraper in whose token is good. The token may have been chosen
// by a person, so its failures count like those of an administrator.
func (g *Guard) Scraper(c Client, good bool) error {
	if err := g.admins.Check(c.Source); err != nil {
		return err
	}
	if good {
		return nil
	}
	if over := g.admins.Take(c.Source); over != nil {
		return over
	}
	return vault.ErrUnauthorized
}

// Device returns the agent for a device access token.
func (g *Guard) Device(ctx context.Context, h http.Header, c Client) (access.Caller, error) {
	token, err := Bearer(h)
	if err != nil {
		return access.Caller{}, err
	}
	defer token.Wipe()
	by, err := g.vault.AuthenticateDevice(ctx, token, c.Origin)
	return by, g.Failed(c, err)
}

// Attested verifies a daemon's signature over a request whose body is still to
// come. The result is nil where the vault asks for no signature.
func (g *Guard) Attested(ctx context.Context, c Client, method, path string, a *proof.Attestation) (*vault.Attested, error) {
	att, err := g.vault.CheckAttestation(ctx, c.Origin, method, path, a)
	return att, g.Failed(c, err)
}

// Daemon returns the agent whose daemon signed a request without a body.
func (g *Guard) Daemon(ctx context.Context, c Client, method, path string, a *proof.Attestation) (access.Caller, error) {
	by, err := g.vault.AuthenticateDaemon(ctx, c.Origin, method, path, a)
	return by, g.Failed(c, err)
}

// Author verifies the signature of a daemon over a journal that is still to come.
func (g *Guard) Author(ctx context.Context, c Client, a *proof.Attestation) (*vault.Attested, error) {
	att, err := g.vault.CheckJournal(ctx, c.Origin, a)
	return att, g.Failed(c, err)
}

// Covers verifies that body is the one that was signed.
func (g *Guard) Covers(ctx context.Context, c Client, a *vault.Attested, body []byte) error {
	return g.Failed(c, g.vault.CheckBody(ctx, c.Origin, a, body))
}

// Failed counts a failure of a client that is not the administrator, if err is
// one, and returns err, or in its place an *[limit.Exceeded].
func (g *Guard) Failed(c Client, err error) error {
	if !failed(err) {
		return err
	}
	if over := g.others.Take(c.Source); over != nil {
		return over
	}
	return err
}

// failed reports whether err says that a credential was not good. A token that
// was good once does not count: its holder is no stranger.
func failed(err error) bool {
	return errors.Is(err, vault.ErrUnauthorized) || errors.Is(err, vault.ErrReplay) || errors.Is(err, vault.ErrClockSkew)
}

// AdminToken returns the header X-Admin-Token.
func AdminToken(h http.Header) (opaque.Bytes, error) {
	v := h.Values("X-Admin-Token")
	if len(v) != 1 || v[0] == "" {
		return opaque.Bytes{}, ErrNoAdminToken
	}
	return opaque.New([]byte(v[0])), nil
}

// Bearer returns the token of an Authorization header, which must read
// "Bearer <token>" exactly.
func Bearer(h http.Header) (opaque.Bytes, error) {
	const scheme = "Bearer "
	v := h.Values("Authorization")
	if len(v) != 1 || len(v[0]) <= len(scheme) || v[0][:len(scheme)] != scheme {
		return opaque.Bytes{}, ErrNoBearer
	}
	return opaque.New([]byte(v[0][len(scheme):])), nil
}

// Attestation returns the header X-Daemon-Attestation, nil if there is none.
func Attestation(h http.Header) (*proof.Attestation, error) {
	v := h.Values("X-Daemon-Attestation")
	switch {
	case len(v) == 0:
		return nil, nil
	case len(v) > 1:
		return nil, ErrAttestation
	}
	a, err := proof.ParseAttestation(v[0])
	if err != nil {
		return nil, ErrAttestation
	}
	return &a, nil
}

// What can be wrong with a request that shows no credential at all. There is
// nothing to keep from its sender, who is told what to send.
var (
	// ErrNoAdminToken: the header is missing, empty, or there twice.
	ErrNoAdminToken = errors.New("authentication failed: send the admin token in the header X-Admin-Token")
	// ErrNoBearer: the header is missing or has another form.
	ErrNoBearer = errors.New("authentication failed: send the token in the header Authorization as Bearer <token>")
	// ErrAttestation: the header cannot be parsed.
	ErrAttestation = errors.New("authentication failed: the header X-Daemon-Attestation is malformed")
)
