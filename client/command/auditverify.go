package command

import (
	"context"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
)

// VerifyAudit has a running server verify its audit trail. It is the half of the
// verb verify-audit that needs no vault, with the flags that are its own.
func VerifyAudit() ([]cli.Flag, func(ctx context.Context, cmd *cli.Command, url string, since *note.Note) (audit.Report, error)) {
	var f adminFlags
	flags := []cli.Flag{pinFlag(&f.pin), adminTokenFlag(&f.tokenFile)}
	return flags, func(ctx context.Context, cmd *cli.Command, url string, since *note.Note) (audit.Report, error) {
		f.url = url
		c, err := f.client(ctx)
		if err != nil {
			return audit.Report{}, err
		}
		report, err := c.VerifyAudit(ctx, since)
		return report, f.explain(cmd, err)
	}
}
