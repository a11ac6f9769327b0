package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// AllowedDaemons returns the daemon binaries that may attest, newest first.
// An empty list allows all.
func (c *Client) AllowedDaemons(ctx context.Context) ([]api.AllowedDaemon, error) {
	return admin[[]api.AllowedDaemon](ctx, c, http.MethodGet, at("/admin/allowed-daemon-versions"), nil, nil)
}

// AllowDaemon adds a daemon binary by its SHA-256.
func (c *Client) AllowDaemon(ctx context.Context, in api.AllowDaemon) (api.AllowedDaemonAdded, error) {
	return admin[api.AllowedDaemonAdded](ctx, c, http.MethodPost, at("/admin/allowed-daemon-versions"), nil, in)
}

// DisallowDaemon removes a daemon binary.
func (c *Client) DisallowDaemon(ctx context.Context, sha256 string) (api.Deleted, error) {
	return admin[api.Deleted](ctx, c, http.MethodDelete, at("/admin/allowed-daemon-versions/", sha256), nil, nil)
}

// DaemonSessions returns the attested sessions, newest first.
func (c *Client) DaemonSessions(ctx context.Context) ([]api.DaemonSession, error) {
	return admin[[]api.DaemonSession](ctx, c, http.MethodGet, at("/admin/daemon-sessions"), nil, nil)
}

// RevokeDaemonSession ends an attested session at once. Older servers have no
// such route.
func (c *Client) RevokeDaemonSession(ctx context.Context, id string) (api.DeletedID, error) {
	return admin[api.DeletedID](ctx, c, http.MethodDelete, at("/admin/daemon-sessions/", id), nil, nil)
}
