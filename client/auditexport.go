package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/vault/audit"
)

// exportWait is how long the server may take to begin with an export.
const exportWait = 15 * time.Minute

// ExportAudit has the server export the audit trail, from the first row that is
// not older than since to the last before one that is not older than until, and
// writes it to w as it comes; a zero time bounds nothing. It is whole, and its
// rows are linked by their hashes, only if there is no error. An
// [*audit.ExportError] says what the server found wrong.
func (c *Client) ExportAudit(ctx context.Context, since, until time.Time, w io.Writer) (audit.ExportEnd, error) {
	r, err := c.adminRequest(http.MethodGet, at("/admin/audit/export"), span(since, until), nil)
	if err != nil {
		return audit.ExportEnd{}, err
	}
	req, err := c.build(ctx, r, &sent{})
	if err != nil {
		return audit.ExportEnd{}, err
	}
	resp, err := c.open(ctx, patient(c.http, exportWait), req)
	if err != nil {
		return audit.ExportEnd{}, err
	}
	defer resp.Body.Close()
	end, err := checkExport(io.TeeReader(resp.Body, w))
	if err != nil && ctx.Err() != nil {
		err = stopped(ctx)
	}
	if err != nil {
		return end, fmt.Errorf("receiving the audit trail: %w", err)
	}
	return end, nil
}

// checkExport reads an export to its end.
func checkExport(r io.Reader) (audit.ExportEnd, error) {
	x, err := audit.NewExportReader(r)
	if err != nil {
		return audit.ExportEnd{}, err
	}
	chain := audit.NewVerifier(nil)
	for r, err := range x.Records() {
		if err != nil {
			return audit.ExportEnd{}, err
		}
		if !chain.Add(r) {
			return audit.ExportEnd{}, fmt.Errorf("it is BROKEN at %s", chain.Finish(nil).Broken)
		}
	}
	return x.End, nil
}
