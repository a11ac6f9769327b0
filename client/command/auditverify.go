package command

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// VerifyAudit has a running server verify its audit trail. It is the half of the
// verb verify-audit that needs no vault.
func VerifyAudit(ctx context.Context, cmd *cli.Command, url, tokenFile string, since *note.Note) (audit.Report, error) {
	f := adminFlags{url: url, tokenFile: tokenFile}
	c, err := f.client(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	report, err := c.VerifyAudit(ctx, since)
	return report, f.explain(cmd, err)
}
