package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/vault/backup"
)

// backupWait is how long the server may take to begin with a backup.
const backupWait = 15 * time.Minute

// Backup has the server make a backup, and writes it to w as it comes. It is
// whole, and its checksum right, only if there is no error.
func (c *Client) Backup(ctx context.Context, w io.Writer) (backup.Header, error) {
	r, err := c.adminRequest(http.MethodGet, at("/admin/backup"), nil, nil)
	if err != nil {
		return backup.Header{}, err
	}
	req, err := c.build(ctx, r, &sent{})
	if err != nil {
		return backup.Header{}, err
	}
	resp, err := c.open(ctx, patient(c.http, backupWait), req)
	if err != nil {
		return backup.Header{}, err
	}
	defer resp.Body.Close()
	h, err := backup.Read(io.Discard, io.TeeReader(resp.Body, w))
	if err != nil && ctx.Err() != nil {
		err = stopped(ctx)
	}
	if err != nil {
		return h, fmt.Errorf("receiving the backup: %w", err)
	}
	return h, nil
}
