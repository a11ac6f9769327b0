package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
)

// AuditLogs returns the newest audit rows, newest first: limit of them, or as
// many as the server likes if it is 0. Older servers ignore the limit.
func (c *Client) AuditLogs(ctx context.Context, limit int) ([]api.AuditRow, error) {
	var query url.Values
	if limit > 0 {
		query = url.Values{"limit": {strconv.Itoa(limit)}}
	}
	return admin[[]api.AuditRow](ctx, c, http.MethodGet, at("/admin/audit-logs"), query, nil)
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

// Health asks whether the server can work. A server that answers that it
// cannot is no error.
func (c *Client) Health(ctx context.Context) (api.Health, error) {
	a, err := c.send(ctx, request{method: http.MethodGet, path: at("/health")})
	if err != nil {
		return api.Health{}, err
	}
	if a.status != http.StatusOK && a.status != http.StatusServiceUnavailable {
		return api.Health{}, a.problem(c.base)
	}
	var h api.Health
	if json.Unmarshal(a.body, &h) != nil || h.Status == "" {
		return api.Health{}, fmt.Errorf("%w: no health in it", ErrAnswer)
	}
	return h, nil
}
