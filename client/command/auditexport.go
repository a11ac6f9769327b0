package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/vault/audit"
)

func auditExport() *cli.Command {
	var f adminFlags
	var span spanFlags
	var out string
	flags := append(span.flags(), &cli.StringFlag{Name: "out", Usage: "`FILE` to write, which must not exist", DefaultText: "standard output", Destination: &out, TakesFile: true})
	return f.verb(&cli.Command{
		Name:  "export",
		Usage: "fetch the audit trail, or a part of it, in a form that can be checked",
		Description: `JSON Lines, oldest first, with the hashes that link each row to the one before. They are
checked as they arrive: a file is there when it is whole, or not at all. Without --out what
was written before an error stays; the exit status is 1 then.

Examples:
   cortex audit export --out audit.jsonl
   cortex audit export --since 2026-04-01 --until 2026-05-01 --out april.jsonl`,
		Flags: flags,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		since, until, err := span.read(cmd)
		if err != nil {
			return err
		}
		var end audit.ExportEnd
		if out == "" {
			end, err = c.ExportAudit(ctx, since, until, cmd.Root().Writer)
		} else {
			end, err = exportTo(ctx, c, since, until, out)
		}
		if err != nil {
			return err
		}
		what := fmt.Sprintf("%d rows up to number %d, linked by their hashes", end.Rows, end.End.Seq)
		if out == "" {
			say(cmd, "cortex: %s", what)
			return nil
		}
		return f.answer(cmd, map[string]any{"file": out, "rows": end.Rows, "end": end.End.String()}, out+": "+what)
	})
}

// exportTo writes an export to a new file, which is there, whole and on the disk,
// or not there at all.
func exportTo(ctx context.Context, c *client.Client, since, until time.Time, out string) (end audit.ExportEnd, err error) {
	if _, err := os.Lstat(out); !errors.Is(err, fs.ErrNotExist) {
		return end, fmt.Errorf("writing the export: %s: %w", out, cmp.Or(err, fs.ErrExist))
	}
	part, err := os.CreateTemp(filepath.Dir(out), ".cortex-audit-*") // mode 0600
	if err != nil {
		return end, fmt.Errorf("writing the export: %w", err)
	}
	defer os.Remove(part.Name())
	defer part.Close()
	if end, err = c.ExportAudit(ctx, since, until, part); err != nil {
		return end, err
	}
	// A link, because a rename would overwrite what somebody put there meanwhile.
	if err := errors.Join(part.Sync(), os.Link(part.Name(), out), syncDir(filepath.Dir(out))); err != nil {
		return end, fmt.Errorf("writing the export: %w", err)
	}
	return end, nil
}
