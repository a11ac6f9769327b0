package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func secretVersions() *cli.Command {
	var f adminFlags
	var name secretName
	return f.verb(&cli.Command{
		Name: "versions", ArgsUsage: "SECRET",
		Usage: "list the values of a secret that are kept, newest first, without themselves",
		Description: `Example:
   cortex secret versions db/password`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		_, rows, err := name.versions(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		return showRows(&f, cmd, rows, table[api.SecretVersion]{"VERSION\tCREATED\tBY\tMESSAGE\tNOTE", func(v api.SecretVersion) []string {
			return []string{fmt.Sprint(v.Version), v.CreatedAt.String(), v.CreatedBy, textOr(v.Message), rolledBack(v)}
		}})
	})
}

func rolledBack(v api.SecretVersion) string {
	if v.RolledBackTo == 0 {
		return ""
	}
	return fmt.Sprintf("has the value of %d", v.RolledBackTo)
}

func secretRollback() *cli.Command {
	var f adminFlags
	var name secretName
	var message string
	var ifVersion int64
	return f.verb(&cli.Command{
		Name: "rollback", ArgsUsage: "SECRET VERSION",
		Usage: "give a secret the value of an older version, as a new version",
		Description: `Example:
   cortex secret rollback db/password 3 --message "4 was mistyped"`,
		Flags: name.flags(
			&cli.StringFlag{Name: "message", Usage: "`TEXT` that says why", Destination: &message},
			ifVersionFlag(&ifVersion),
		),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		version, err := strconv.ParseInt(cmd.Args().Get(1), 10, 64)
		if err != nil || version < 1 {
			return usage(cmd, fmt.Errorf("bad version %q: want a number, as in cortex secret versions", cmd.Args().Get(1)))
		}
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		out, err := c.RollbackSecret(ctx, s.ID, api.RollbackSecret{
			Version: version, Message: given(cmd, "message", message), IfVersion: given(cmd, "if-version", ifVersion),
		})
		if err != nil {
			return about("secret", s.KeyPath, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("secret %s has the value of version %d again, as version %d", printable(s.KeyPath), version, out.Version))
	})
}
