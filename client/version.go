package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cortex-auth/cortex/server/api"
)

// SecretVersions returns the versions of a secret that are kept, newest first
// and without their values.
func (c *Client) SecretVersions(ctx context.Context, id string) ([]api.SecretVersion, error) {
	return admin[[]api.SecretVersion](ctx, c, http.MethodGet, at("/admin/secrets/", id, "/versions"), nil, nil)
}

// SecretVersion is [Client.Secret] for one version.
func (c *Client) SecretVersion(ctx context.Context, id string, version int64) (api.SecretDetail, error) {
	q := url.Values{"version": {strconv.FormatInt(version, 10)}}
	return admin[api.SecretDetail](ctx, c, http.MethodGet, at("/admin/secrets/", id), q, nil)
}

// RollbackSecret makes a new version with the value of an old one.
func (c *Client) RollbackSecret(ctx context.Context, id string, in api.RollbackSecret) (api.Updated, error) {
	return admin[api.Updated](ctx, c, http.MethodPost, at("/admin/secrets/", id, "/rollback"), nil, in)
}
