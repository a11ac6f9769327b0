package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func auditHead() *cli.Command {
	var f adminFlags
	var key bool
	return f.verb(&cli.Command{
		Name:  "head",
		Usage: "print a signed note of where the audit trail ends",
		Description: `Keep the note where whoever can write the vault's file cannot: in a git repository, in
a mail. "cortex verify-audit --since-head FILE" then tells an older copy of the file, and
a trail that was written anew, from the one that you have seen. Keep the key beside your
own: it is the same for all notes of a vault.

Examples:
   cortex audit head > head-2027-01-31.note
   cortex audit head --key > vault.key`,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "key", Usage: "print the key that verifies the notes", Destination: &key}},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		n, k, err := c.AuditHead(ctx)
		switch {
		case err != nil:
			return err
		case f.json:
			return writeJSON(cmd.Root().Writer, api.AuditHead{Note: n.String(), VerifierKey: k.String()})
		case key:
			_, err = fmt.Fprintln(cmd.Root().Writer, k)
		default:
			_, err = fmt.Fprint(cmd.Root().Writer, n)
		}
		return err
	})
}
