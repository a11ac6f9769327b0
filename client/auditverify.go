package client

import (
	"context"
	"net/http"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// verifyWait is how long the server may take to verify its audit trail.
const verifyWait = 15 * time.Minute

// VerifyAudit has the server verify its audit trail, and look in it for the
// record of a signed head, unless that is nil. A broken trail is no error.
func (c *Client) VerifyAudit(ctx context.Context, since *note.Note) (audit.Report, error) {
	var in api.VerifyAudit
	if since != nil {
		in.SinceHead = since.String()
	}
	r, err := c.adminRequest(http.MethodPost, at("/admin/audit/verify"), nil, in)
	if err != nil {
		return audit.Report{}, err
	}
	r.wait = verifyWait
	a, err := call[api.AuditReport](ctx, c, r)
	if err != nil {
		return audit.Report{}, err
	}
	report := audit.Report{Rows: a.Rows, First: a.First, Last: a.Last, Keyed: a.Keyed}
	switch {
	case a.Broken != nil:
		report.Broken = &audit.Break{Seq: a.Broken.Seq, Why: printable(a.Broken.Why, 500)}
	case !a.Intact:
		return audit.Report{}, errLacks("intact")
	}
	return report, nil
}
