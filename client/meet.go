package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
)

// ErrPinnedHTTP is returned for a pin of a server without TLS.
var ErrPinnedHTTP = errors.New("there is no key to pin without TLS")

// askTimeout is how long a server may take to say who it is.
const askTimeout = 10 * time.Second

// Meet asks the server who it is, and returns what to pin of it. Its certificate
// was checked as that of any request. Without TLS there is nothing to pin.
func (c *Client) Meet(ctx context.Context) (pin.Pin, error) {
	said, shown, err := c.introduce(ctx, func(r *http.Request) (*http.Response, error) { return c.do(c.http, r) })
	if _, older := errors.AsType[*api.Error](err); older {
		err = nil // it does not say, or not now
	}
	if err != nil {
		return pin.Pin{}, err
	}
	if c.base.Scheme != "https" {
		return pin.Pin{}, nil
	}
	return pin.Met(shown, said, time.Now()), nil
}

// Pin returns what the server is known by now, nil for nothing but its certificate.
func (c *Client) Pin() *pin.Pin { return c.pin.Load() }

// Know has the server be known by another pin than the client was made with,
// because somebody logged in anew. If it was made without, the certificate goes on
// counting as well.
func (c *Client) Know(p pin.Pin) {
	c.moving.Lock()
	defer c.moving.Unlock()
	c.pin.Store(&p)
}

// introduce has a server say who it is, and returns the key it shows.
func (c *Client) introduce(ctx context.Context, do func(*http.Request) (*http.Response, error)) (said api.Identity, shown proof.TLSKey, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := c.build(ctx, request{method: http.MethodGet, path: at("/.well-known/cortex")}, nil)
	if err != nil {
		return said, shown, err
	}
	resp, err := do(req)
	if err != nil {
		return said, shown, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	if resp.TLS != nil {
		shown = pin.Shown(*resp.TLS)
	}
	text, err := readAnswer(resp)
	if err != nil {
		return said, shown, c.unreachable(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		return said, shown, answer{resp.StatusCode, resp.Header, text}.problem(c.base)
	}
	if err := json.Unmarshal(text, &said); err != nil {
		return said, shown, fmt.Errorf("%w: %s", ErrAnswer, jsonProblem(err))
	}
	return said, shown, nil
}

// do sends a request, and notes that something came. If the server shows another key than the known one, nothing
// is sent but a question: does the known vault vouch for it? If so, the pin moves,
// and the request is sent.
func (c *Client) do(h *http.Client, req *http.Request) (*http.Response, error) {
	began := time.Now()
	resp, err := c.exchange(h, req)
	if err == nil {
		c.contact.answered(began, resp)
	}
	return resp, err
}

// exchange sends a request, and again to a server whose key has moved.
func (c *Client) exchange(h *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := h.Do(req)
	changed, ok := errors.AsType[*pin.ChangedError](err)
	if !ok {
		return resp, err
	}
	if why := c.follow(req.Context(), changed.Shown); why != nil {
		return nil, &pin.ChangedError{Known: changed.Known, Shown: changed.Shown, Why: why}
	}
	again := req.Clone(req.Context())
	if req.GetBody != nil {
		if again.Body, err = req.GetBody(); err != nil {
			return nil, err
		}
	}
	return h.Do(again)
}

// follow moves the pin to the key that a server shows, or says why not.
func (c *Client) follow(ctx context.Context, shown proof.TLSKey) error {
	c.moving.Lock()
	defer c.moving.Unlock()
	known := *c.pin.Load()
	switch {
	case known.Key.Is(shown):
		return nil // another request has moved it
	case known.Vault == nil:
		return pin.ErrNoVoucher
	}
	said, err := c.ask(ctx, shown)
	if err != nil {
		// Whoever it is must not be heard as the server would be.
		return fmt.Errorf("asking it who vouches for that: %v", err)
	}
	next, err := known.Next(shown, said, time.Now())
	if err != nil {
		return err
	}
	c.pin.Store(&next)
	c.moved(next)
	return nil
}

// ask has a server that shows this key, and no other, say who it is.
func (c *Client) ask(ctx context.Context, shown proof.TLSKey) (api.Identity, error) {
	t := c.http.Transport.(*http.Transport).Clone()
	defer t.CloseIdleConnections()
	t.TLSClientConfig.VerifyConnection = pin.Pin{Key: shown}.Check
	said, _, err := c.introduce(ctx, (&http.Client{Transport: t, CheckRedirect: c.http.CheckRedirect}).Do)
	return said, err
}

// hold has the server accepted by a pin, and by nothing else: who signed its
// certificate, for which names and until when, adds nothing to the one key that is
// known. Without a pin its certificate counts, until there is one.
func (c *Client) hold(p *pin.Pin) error {
	t, ok := c.http.Transport.(*http.Transport)
	switch {
	case p != nil && c.base.Scheme != "https":
		return fmt.Errorf("%w: %s", ErrPinnedHTTP, c.base)
	case p != nil && !ok:
		return errors.New("client: a pin needs an *http.Transport")
	case !ok:
		return nil
	}
	t = t.Clone()
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	t.TLSClientConfig.InsecureSkipVerify = p != nil // what VerifyConnection does is enough
	t.TLSClientConfig.VerifyConnection = c.verify
	c.http.Transport = t
	c.pin.Store(p)
	return nil
}

// verify stops a connection to another server than the known one.
func (c *Client) verify(s tls.ConnectionState) error {
	if p := c.pin.Load(); p != nil {
		return p.Check(s)
	}
	return nil
}

// Untrusted returns the key of a server that this machine does not trust, and the
// reason, where that is what err is about.
func Untrusted(err error) (shown proof.TLSKey, why error, ok bool) {
	e, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(e.UnverifiedCertificates) == 0 {
		return shown, nil, false
	}
	return proof.TLSKeyOf(e.UnverifiedCertificates[0]), e.Err, true
}
