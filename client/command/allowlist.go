package command

import (
	"context"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func allowlist() noun {
	return noun{"allowlist", "say which programs may be daemons", "cortex allowlist list", verbs{
		allowlistList, allowlistAdd, allowlistRemove,
	}}
}

func allowlistList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list the programs that may be daemons, newest first; every one may while there are none",
		Description: `Example:
   cortex allowlist list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.AllowedDaemon, error] {
		return c.AllAllowedDaemons(ctx)
	}, table[api.AllowedDaemon]{"SHA256\tVERSION\tSTATE\tCREATED\tDESCRIPTION", func(d api.AllowedDaemon) []string {
		return []string{d.BinarySHA256, textOr(d.Version), mark(d.Enabled == 0, "disabled"), d.CreatedAt.String(), textOr(d.Description)}
	}})
}

func allowlistAdd() *cli.Command {
	var f adminFlags
	var version, description string
	var disabled bool
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "SHA256",
		Usage: "let a program be a daemon, by its hash",
		Description: `Example:
   cortex allowlist add 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 --version 1.2`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "version", Usage: "the `VERSION` it is", Destination: &version},
			&cli.StringFlag{Name: "description", Usage: "`TEXT` that says what it is", Destination: &description},
			&cli.BoolFlag{Name: "disabled", Usage: "name it, and turn it away", Destination: &disabled},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		in := api.AllowDaemon{BinarySHA256: cmd.Args().First(), Version: given(cmd, "version", version), Description: given(cmd, "description", description)}
		if disabled {
			in.Enabled = new(false)
		}
		out, err := c.AllowDaemon(ctx, in)
		if err != nil {
			return about("program", in.BinarySHA256, err)
		}
		return f.answer(cmd, out, "added program "+printable(out.BinarySHA256))
	})
}

func allowlistRemove() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "remove", ArgsUsage: "SHA256",
		Usage: "take a program off the list",
		Description: `Example:
   cortex allowlist remove 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.DisallowDaemon(ctx, cmd.Args().First())
		if err != nil {
			return about("program", cmd.Args().First(), err)
		}
		return f.answer(cmd, out, "removed program "+printable(cmd.Args().First()))
	})
}
