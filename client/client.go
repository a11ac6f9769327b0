// Package client is the Go API of a cortex server: one method per route. To
// run a project's command use the daemon instead; this package is what the
// daemon, the command line and scripts in Go stand on.
//
// Plain HTTP is spoken to this machine only, redirects are not followed, and
// answers are limited in size. A server is known by its certificate, or by a
// [pin.Pin]. What a server refuses comes back as an
// [*api.Error], also from older servers that answer some errors in plain text.
package client

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Config is what a [Client] needs to know.
type Config struct {
	// URL is the server's: scheme, host and port, with nothing behind.
	URL string
	// HTTP sends the requests. If nil, a client with a timeout of 30 s and
	// the proxy of the environment, which is not used for this machine. It
	// never follows redirects, whatever its CheckRedirect says.
	HTTP *http.Client
	// AdminToken is needed by the routes under /admin/ only.
	AdminToken opaque.Bytes
	// Pin is what is known of the server's keys. It alone decides then, and not
	// who signed the certificate, for which host name and until when. If nil, the
	// certificate must be one that this machine trusts for the URL's host.
	Pin *pin.Pin
	// Moved hears of what takes the place of Pin, when the server shows another
	// key and the vault that is known vouches for it. If nil, nobody hears of it.
	Moved func(pin.Pin)
}

// A Client talks to one server. It is safe for concurrent use.
type Client struct {
	base *url.URL
	http *http.Client
	// patient is http for answers that take their time, which its callers
	// bound.
	patient *http.Client
	admin   opaque.Bytes
	contact contact

	pin    atomic.Pointer[pin.Pin] // nil if nothing is known
	moved  func(pin.Pin)
	moving sync.Mutex // held while the pin moves
}

// ErrInsecure is returned for an http:// URL of another machine: tokens and
// values would travel in clear.
var ErrInsecure = errors.New("refusing plain http to another machine")

// ErrURL is in the chain of every error about a URL that is no server's.
var ErrURL = errors.New("not a server URL")

// New returns a Client for the server at cfg.URL. It sends nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := parseOrigin(cfg.URL)
	if err != nil {
		return nil, err
	}
	if base.Scheme == "http" && !Loopback(base.Hostname()) {
		return nil, WithHint(fmt.Errorf("%w: %s", ErrInsecure, base), "use https:// and give the server a certificate (cortex serve --help)")
	}
	c := &Client{base: base, http: httpClient(cfg.HTTP), admin: cfg.AdminToken, moved: cfg.moved()}
	if err := c.hold(cfg.Pin); err != nil {
		return nil, err
	}
	c.patient = patient(c.http, 0)
	return c, nil
}

func (c Config) moved() func(pin.Pin) {
	if c.Moved != nil {
		return c.Moved
	}
	return func(pin.Pin) {}
}

// URL returns the server's URL in its normal form: lower case, no trailing
// slash, no default port.
func (c *Client) URL() string { return c.base.String() }

// SameServer reports whether two URLs name the same scheme, host and port.
// What is not a server's URL is the same as nothing.
func SameServer(a, b string) bool {
	x, errX := parseOrigin(a)
	y, errY := parseOrigin(b)
	return errX == nil && errY == nil && *x == *y
}

// Origin returns the normal form of a server's URL, as [Client.URL] does.
func Origin(raw string) (string, error) {
	u, err := parseOrigin(raw)
	if err != nil {
		return "", err
	}
	return u.String(), nil
}

// parseOrigin's errors do not repeat raw: it may hold a password.
func parseOrigin(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, urlError("cannot be parsed")
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())
	switch {
	case scheme != "https" && scheme != "http":
		return nil, urlError("it must start with https:// (or http:// for this machine)")
	case u.User != nil:
		return nil, urlError("it must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.Opaque != "" || strings.Trim(u.Path, "/") != "":
		return nil, urlError("nothing may follow the host and port")
	case !validHost(host):
		return nil, urlError("bad host name")
	}
	port, err := normalPort(scheme, u.Port())
	if err != nil {
		return nil, err
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return &url.URL{Scheme: scheme, Host: host + port}, nil
}

func urlError(why string) error {
	return WithHint(fmt.Errorf("%w: %s", ErrURL, why), "write it as https://vault.example.com:3000")
}

func validHost(h string) bool {
	if _, err := netip.ParseAddr(h); err == nil {
		return true
	}
	return h != "" && strings.Trim(h, "abcdefghijklmnopqrstuvwxyz0123456789-._") == ""
}

func normalPort(scheme, port string) (string, error) {
	if port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", urlError("bad port")
	}
	if scheme == "https" && n == 443 || scheme == "http" && n == 80 {
		return "", nil
	}
	return ":" + strconv.FormatUint(n, 10), nil
}

// Loopback reports whether a host is this machine. It does not resolve names: an
// answer of the resolver is no promise.
func Loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}

func httpClient(given *http.Client) *http.Client {
	h := &http.Client{Timeout: 30 * time.Second, Transport: transport()}
	if given != nil {
		copied := *given
		h = &copied
	}
	// A redirect would carry tokens and signatures to a place nobody named.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h
}

// patient returns a client like h for an answer of any length, which begins
// within so much time, or when it likes if that is 0. The context of the request
// bounds it.
func patient(h *http.Client, begins time.Duration) *http.Client {
	p := *h
	p.Timeout = 0
	if t, ok := p.Transport.(*http.Transport); ok {
		t = t.Clone()
		t.ResponseHeaderTimeout = begins
		p.Transport = t
	}
	return &p
}

func transport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment, // never for loopback addresses
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   8,
	}
}
