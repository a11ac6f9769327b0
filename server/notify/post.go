package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

const (
	postTimeout = 10 * time.Second
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 4 << 10
	// maxRetryAfter bounds what a receiver can ask for.
	maxRetryAfter = 6 * time.Hour
)

// A poster reaches receivers.
type poster struct {
	guard  guard
	roots  *x509.CertPool
	client *http.Client
}

func newPoster(g guard, roots *x509.CertPool) *poster {
	p := &poster{guard: g, roots: roots}
	p.client = &http.Client{
		// No proxy of the environment: the guard could not look behind it.
		Transport: &http.Transport{
			DialContext:           g.dial,
			TLSClientConfig:       p.tls(),
			ForceAttemptHTTP2:     true,
			IdleConnTimeout:       time.Minute,
			MaxConnsPerHost:       8,
			MaxIdleConnsPerHost:   1,
			ResponseHeaderTimeout: postTimeout,
		},
		// Where a redirect leads to is not what the administrator wrote.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return p
}

func (p *poster) tls() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: p.roots}
}

func (p *poster) close() { p.client.CloseIdleConnections() }

// json posts a value as JSON.
func (p *poster) json(ctx context.Context, to string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return &failure{why: "the message cannot be encoded", refused: true} // unreachable: it is text
	}
	return p.post(ctx, to, text, http.Header{})
}

// post posts a JSON text. Any error is a [failure].
func (p *poster) post(ctx context.Context, to string, body []byte, h http.Header) error {
	ctx, cancel := context.WithTimeout(ctx, postTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return &failure{why: "the address is not good", refused: true} // unreachable: it was checked
	}
	req.Header = h
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "cortex")
	resp, err := p.client.Do(req)
	if err != nil {
		return &failure{why: reason(err)}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	if err != nil {
		answer = nil
	}
	return refusal(resp, answer)
}

// refusal says what an answer outside 2xx means.
func refusal(resp *http.Response, answer []byte) *failure {
	f := &failure{why: fmt.Sprintf("the receiver answered %d", resp.StatusCode)}
	switch status := resp.StatusCode; status {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
	default:
		f.refused = status < 500
	}
	f.after = min(retryAfter(resp.Header, answer, time.Now()), maxRetryAfter)
	return f
}

// retryAfter returns how long a receiver wants to be left alone: the header
// says so, or what Telegram writes into the body.
func retryAfter(h http.Header, answer []byte, now time.Time) time.Duration {
	value := h.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		return span(seconds)
	}
	if at, err := http.ParseTime(value); err == nil {
		return max(0, at.Sub(now))
	}
	var body struct {
		Parameters struct {
			RetryAfter float64 `json:"retry_after"`
		} `json:"parameters"`
	}
	if json.Unmarshal(answer, &body) != nil {
		return 0
	}
	return span(body.Parameters.RetryAfter)
}

func span(seconds float64) time.Duration {
	if !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, maxRetryAfter.Seconds()) * float64(time.Second))
}

// reason says what went wrong on the way to a receiver, without its address.
func reason(err error) string {
	switch {
	case errors.Is(err, errAddress):
		return errAddress.Error()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return "it took too long"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "the connection was refused"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "the host cannot be reached"
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the name was not found"
	}
	// The second wraps the first.
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the certificate is for another name"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the certificate is not trusted"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the receiver does not speak TLS"
	}
	return "the connection failed"
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return ok && e.Timeout()
}

// checkURL refuses addresses that a message must not be sent to: it travels
// over TLS, but to an address of this machine.
func checkURL(member string, v api.Value) error {
	u, err := url.Parse(string(v.Reveal()))
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return bad(member, "must be an https:// URL")
	}
	if u.User != nil || u.Fragment != "" {
		return bad(member, "must not have a user or a fragment")
	}
	addr, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]"))
	literal := err == nil
	if literal && !(guard{}).allows(addr, true) {
		return bad(member, "is an address that is not allowed")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && literal && addr.IsLoopback()) {
		return bad(member, "must be an https:// URL; http:// only to a loopback address such as 127.0.0.1")
	}
	return nil
}
