package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/cortex-auth/cortex/server/api"
)

// An AuditFilter picks audit rows: what is not empty must fit. The zero value
// picks all there are. Older servers ignore it.
type AuditFilter struct {
	Project, Agent, Action string
	// Status picks rows that say more behind a colon as well: "refused".
	Status string
	// Since and Until bound the time: not before the one, before the other.
	Since, Until time.Time
}

func (f AuditFilter) query() url.Values {
	q := span(f.Since, f.Until)
	for name, value := range map[string]string{"project": f.Project, "agent": f.Agent, "action": f.Action, "status": f.Status} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// span puts a span of time into a query, as far as it is bounded.
func span(since, until time.Time) url.Values {
	q := url.Values{}
	for name, t := range map[string]time.Time{"since": since, "until": until} {
		if !t.IsZero() {
			q.Set(name, t.UTC().Format(time.RFC3339Nano))
		}
	}
	return q
}

// AuditLogs returns the newest audit rows that f picks, newest first: as many
// as the server likes to find at a time.
func (c *Client) AuditLogs(ctx context.Context, f AuditFilter) ([]api.AuditRow, error) {
	return admin[[]api.AuditRow](ctx, c, http.MethodGet, at("/admin/audit-logs"), f.query(), nil)
}

// JWKS returns the public halves of the server's signing keys.
func (c *Client) JWKS(ctx context.Context) (api.JWKS, error) {
	return call[api.JWKS](ctx, c, request{method: http.MethodGet, path: at("/.well-known/jwks.json")})
}

// Metrics returns what the server counts, in the text format of Prometheus.
func (c *Client) Metrics(ctx context.Context) ([]byte, error) {
	r, err := c.adminRequest(http.MethodGet, at("/metrics"), nil, nil)
	if err != nil {
		return nil, err
	}
	a, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	if a.status != http.StatusOK {
		return nil, a.problem(c.base)
	}
	return a.body, nil
}

// Health asks whether the server can work, and for the time on its clock, in
// whole seconds; zero if it does not say. A server that answers that it cannot
// work is no error.
func (c *Client) Health(ctx context.Context) (h api.Health, clock time.Time, err error) {
	a, err := c.send(ctx, request{method: http.MethodGet, path: at("/health")})
	if err != nil {
		return h, clock, err
	}
	if a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
		return h, clock, a.problem(c.base)
	}
	if json.Unmarshal(a.body, &h) != nil || h.Status == "" {
		return api.Health{}, clock, fmt.Errorf("%w: no health in it", ErrAnswer)
	}
	clock, _ = http.ParseTime(a.header.Get("Date"))
	return h, clock, nil
}
