package client

import (
	"context"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
)

// pageSize is how many rows are asked for at a time.
const pageSize = 500

// pages yields the rows of a list, page by page, and ends after the first
// error. Rows that are made or deleted meanwhile may or may not be among them;
// none is yielded twice.
func pages[R any](ctx context.Context, c *Client, p path, query url.Values) iter.Seq2[R, error] {
	return pagesOf[R](ctx, c, p, query, pageSize)
}

// pagesOf is pages for pages of so many rows.
func pagesOf[R any](ctx context.Context, c *Client, p path, query url.Values, size int) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		query := maps.Clone(query)
		if query == nil {
			query = url.Values{}
		}
		query.Set("limit", strconv.Itoa(size))
		for {
			rows, next, err := onePage[R](ctx, c, p, query)
			if err != nil {
				var none R
				yield(none, err)
				return
			}
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
			// A cursor that leads nowhere else would go round for ever.
			if next == "" || next == query.Get("cursor") {
				return
			}
			query.Set("cursor", next)
		}
	}
}

func onePage[R any](ctx context.Context, c *Client, p path, query url.Values) (rows []R, next string, err error) {
	r, err := c.adminRequest(http.MethodGet, p, query, nil)
	if err != nil {
		return nil, "", err
	}
	rows, header, err := callWith[[]R](ctx, c, r)
	return rows, header.Get(api.NextCursor), err
}

// AllSecrets yields what [Client.Secrets] returns, however much that is.
func (c *Client) AllSecrets(ctx context.Context, f SecretFilter) iter.Seq2[api.Secret, error] {
	return pages[api.Secret](ctx, c, at("/admin/secrets"), f.query())
}

// AllAgents yields what [Client.Agents] returns, however much that is.
func (c *Client) AllAgents(ctx context.Context, namespace string) iter.Seq2[api.Agent, error] {
	return pages[api.Agent](ctx, c, at("/admin/agents"), inNamespace(namespace))
}

// AllPolicies yields what [Client.Policies] returns, however much that is.
func (c *Client) AllPolicies(ctx context.Context) iter.Seq2[api.Policy, error] {
	return pages[api.Policy](ctx, c, at("/admin/policies"), nil)
}

// AllNamespaces yields what [Client.Namespaces] returns, however much that is.
func (c *Client) AllNamespaces(ctx context.Context) iter.Seq2[api.Namespace, error] {
	return pages[api.Namespace](ctx, c, at("/admin/namespaces"), nil)
}

// AllProjects yields what [Client.Projects] returns, however much that is.
func (c *Client) AllProjects(ctx context.Context, namespace string) iter.Seq2[api.Project, error] {
	return pages[api.Project](ctx, c, at("/admin/projects"), inNamespace(namespace))
}

// AllGrants yields what [Client.Grants] returns, however much that is.
func (c *Client) AllGrants(ctx context.Context, namespace, project string) iter.Seq2[api.Grant, error] {
	return pages[api.Grant](ctx, c, at("/admin/projects/", project, "/grants"), inNamespace(namespace))
}

// AllPendingGrants yields what [Client.PendingGrants] returns, and what that
// leaves out because it is old.
func (c *Client) AllPendingGrants(ctx context.Context) iter.Seq2[api.PendingGrant, error] {
	return pages[api.PendingGrant](ctx, c, at("/admin/pending-grants"), nil)
}

// AllDevices yields what [Client.Devices] returns, and what that leaves out
// because it is old.
func (c *Client) AllDevices(ctx context.Context) iter.Seq2[api.Device, error] {
	return pages[api.Device](ctx, c, at("/admin/devices"), nil)
}

// AllDaemonSessions yields what [Client.DaemonSessions] returns, and what that leaves out
// because it is old.
func (c *Client) AllDaemonSessions(ctx context.Context) iter.Seq2[api.DaemonSession, error] {
	return pages[api.DaemonSession](ctx, c, at("/admin/daemon-sessions"), nil)
}

// AllAllowedDaemons yields what [Client.AllowedDaemons] returns, however much
// that is.
func (c *Client) AllAllowedDaemons(ctx context.Context) iter.Seq2[api.AllowedDaemon, error] {
	return pages[api.AllowedDaemon](ctx, c, at("/admin/allowed-daemon-versions"), nil)
}

// AllAuditLogs yields the audit rows that f picks, newest first, however many
// that is.
func (c *Client) AllAuditLogs(ctx context.Context, f AuditFilter) iter.Seq2[api.AuditRow, error] {
	return pages[api.AuditRow](ctx, c, at("/admin/audit-logs"), f.query())
}
