package client

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/client/pin"
)

// maxAnswer is the longest answer read, in bytes.
const maxAnswer = 4 << 20

// ErrUnreachable is in the chain of every error about a server that could not
// be asked.
var ErrUnreachable = errors.New("cannot reach the server")

// ErrAnswer is in the chain of every error about an answer that makes no
// sense: too long, not JSON, or of another shape.
var ErrAnswer = errors.New("not an answer of a cortex server")

// ErrNoAdminToken is returned by admin methods of a Client without one.
var ErrNoAdminToken = errors.New("no admin token")

// A request is one call, before its authentication is added.
type request struct {
	method string
	path   path
	query  url.Values
	header http.Header
	body   []byte // nil for none; wiped by send
	// wait is how long the server was asked to wait before it answers.
	wait time.Duration
}

// A path is a route's path, with its parameters as they are and escaped.
type path struct{ plain, escaped string }

// plainJSON encodes a body in which a command must not get longer: what need not be
// escaped is not.
func plainJSON(v any) ([]byte, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding the request: %w", err)
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), nil
}

// at joins literal parts and parameters, in turn. A parameter with a meaning
// of its own in a URL is refused later, by valid.
func at(parts ...string) path {
	var p path
	for i, part := range parts {
		p.plain += part
		if i%2 == 1 {
			part = url.PathEscape(part)
		}
		p.escaped += part
	}
	return p
}

func (p path) valid() error {
	for segment := range strings.SplitSeq(strings.TrimPrefix(p.escaped, "/"), "/") {
		if segment == "" || segment == "." || segment == ".." {
			return fmt.Errorf("%q cannot stand in a path", segment)
		}
	}
	return nil
}

// An answer is a whole answer. Its body may hold secrets: wipe it.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// call sends r and decodes the JSON answer.
func call[P any](ctx context.Context, c *Client, r request) (P, error) {
	out, _, err := callWith[P](ctx, c, r)
	return out, err
}

// callWith is call for those who also want to see the answer's header.
func callWith[P any](ctx context.Context, c *Client, r request) (out P, h http.Header, err error) {
	a, err := c.send(ctx, r)
	if err != nil {
		return out, nil, err
	}
	defer clear(a.body)
	if a.status/100 != 2 {
		return out, nil, a.problem(c.base)
	}
	if err := json.Unmarshal(a.body, &out); err != nil {
		return out, nil, fmt.Errorf("%w: %s", ErrAnswer, jsonProblem(err))
	}
	return out, a.header, nil
}

// errLacks is about an answer that is of no use without a member.
func errLacks(member string) error { return fmt.Errorf("%w: it lacks %s", ErrAnswer, member) }

// admin sends in, unless it is nil, to an admin route.
func admin[P any](ctx context.Context, c *Client, method string, p path, query url.Values, in any) (P, error) {
	r, err := c.adminRequest(method, p, query, in)
	if err != nil {
		var none P
		return none, err
	}
	return call[P](ctx, c, r)
}

// adminRequest is the request that admin sends.
func (c *Client) adminRequest(method string, p path, query url.Values, in any) (request, error) {
	if c.admin.IsZero() {
		return request{}, WithHint(ErrNoAdminToken, "set ADMIN_TOKEN or ADMIN_TOKEN_FILE to the token the server printed on its first start")
	}
	r := request{method: method, path: p, query: query, header: http.Header{}}
	r.header.Set("X-Admin-Token", string(c.admin.Reveal()))
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return request{}, fmt.Errorf("encoding the request: %w", err)
		}
		r.body = body
	}
	return r, nil
}

// inNamespace is the query of a route that takes a name, or of a list. An empty
// namespace leaves the choice to the server, and does not filter.
func inNamespace(namespace string) url.Values {
	if namespace == "" {
		return nil
	}
	return url.Values{"namespace": {namespace}}
}

// slack is how much longer than asked a server may take that waits.
const slack = 30 * time.Second

func (c *Client) send(ctx context.Context, r request) (answer, error) {
	if r.wait > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, r.wait+slack, ErrSilent)
		defer cancel()
	}
	body := &sent{bytes: r.body}
	defer body.over()
	if err := r.path.valid(); err != nil {
		return answer{}, err
	}
	req, err := c.build(ctx, r, body)
	if err != nil {
		return answer{}, err
	}
	h := c.http
	if r.wait > 0 {
		h = c.patient
	}
	resp, err := c.do(h, req)
	if err != nil {
		return answer{}, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	text, err := readAnswer(resp)
	if err != nil {
		return answer{}, c.unreachable(ctx, err)
	}
	return answer{resp.StatusCode, resp.Header, text}, nil
}

// open sends a request and returns the answer, its body unread. Any other status
// than 200 is an error.
func (c *Client) open(ctx context.Context, h *http.Client, req *http.Request) (*http.Response, error) {
	resp, err := c.do(h, req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	text, err := readAnswer(resp)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return nil, answer{resp.StatusCode, resp.Header, text}.problem(c.base)
}

func (c *Client) build(ctx context.Context, r request, body *sent) (*http.Request, error) {
	u := *c.base
	u.Path, u.RawPath, u.RawQuery = r.path.plain, r.path.escaped, r.query.Encode()
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	if r.header != nil {
		req.Header = r.header
	}
	if r.body != nil {
		req.ContentLength = int64(len(r.body))
		req.GetBody = body.reader // for a second try on another connection
		req.Body, _ = body.reader()
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	return req, nil
}

func readAnswer(resp *http.Response) ([]byte, error) {
	if resp.ContentLength > maxAnswer {
		return nil, errTooLong
	}
	var buf bytes.Buffer
	if n := resp.ContentLength; n > 0 {
		buf.Grow(int(n) + bytes.MinRead) // no copies left behind by growing
	}
	_, err := buf.ReadFrom(io.LimitReader(resp.Body, maxAnswer+1))
	if err == nil && buf.Len() > maxAnswer {
		err = errTooLong
	}
	if err != nil {
		clear(buf.Bytes())
		return nil, err
	}
	return buf.Bytes(), nil
}

var errTooLong = fmt.Errorf("%w: longer than %d bytes", ErrAnswer, maxAnswer)

// stopped returns the context's error, and its cause where that says more.
func stopped(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != ctx.Err() {
		return fmt.Errorf("%w: %w", ctx.Err(), cause)
	}
	return ctx.Err()
}

// unreachable says what to check. The URL that package net/http puts in front
// is ours to say, without its path.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	if errors.Is(err, ErrAnswer) {
		return err
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return WithHint(fmt.Errorf("%w at %s: %w", ErrUnreachable, c.base, err), whatToCheck(c.base, err))
}

func whatToCheck(base *url.URL, err error) string {
	if changed, ok := errors.AsType[*pin.ChangedError](err); ok {
		return fmt.Sprintf("somebody may stand between; if the server was given another key, compare %s with what it logged at its start, and log in again with it: --pin %s", changed.Shown, changed.Shown)
	}
	if shown, _, ok := Untrusted(err); ok {
		way := "set SSL_CERT_FILE to the authority that signed it"
		if _, ok := errors.AsType[x509.HostnameError](err); ok {
			way = "use a host name that the server's certificate was made for"
		}
		return fmt.Sprintf("%s; or compare %s with what the server logged at its start, and pin it: --pin %s", way, shown, shown)
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return "that port does not speak TLS: check the URL's scheme"
	}
	return "check that the server runs: curl " + base.String() + "/health"
}

// jsonProblem says what is wrong without quoting the answer.
func jsonProblem(err error) string {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Sprintf("member %q has the wrong type", t.Field)
	}
	if _, ok := errors.AsType[*json.SyntaxError](err); ok {
		return "not JSON"
	}
	return err.Error()
}
