package client

import (
	"context"
	"net/http"

	"github.com/cortex-auth/cortex/server/api"
)

// KeepSecrets keeps many secrets: all of them, or none. A dry run changes nothing
// and says what would become of each.
func (c *Client) KeepSecrets(ctx context.Context, in api.Bulk) (api.BulkResult, error) {
	return admin[api.BulkResult](ctx, c, http.MethodPost, at("/admin/secrets/bulk"), nil, in)
}
