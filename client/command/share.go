package command

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func secretShares() *cli.Command {
	var f adminFlags
	var name secretName
	return f.verb(&cli.Command{
		Name: "shares", ArgsUsage: "SECRET",
		Usage: "list the further namespaces that a secret stands in",
		Description: `Example:
   cortex secret shares openai_api_key`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		rows, err := c.SecretShares(ctx, s.ID)
		if err != nil {
			return about("secret", s.KeyPath, err)
		}
		return showRows(&f, cmd, rows, table[api.SecretShare]{"NAMESPACE\tPATH\tSHARED BY\tSHARED", func(s api.SecretShare) []string {
			return []string{s.Namespace, s.KeyPath, s.SharedBy, s.SharedAt.String()}
		}})
	})
}

func secretShare() *cli.Command {
	var f adminFlags
	var name secretName
	var in api.ShareSecret
	return f.verb(&cli.Command{
		Name: "share", ArgsUsage: "SECRET NAMESPACE",
		Usage: "put a secret into a further namespace, for its agents to ask for",
		Description: `Example:
   cortex secret share openai_api_key staging --as shared/openai`,
		Flags: name.flags(
			&cli.StringFlag{Name: "as", Usage: "its `PATH` there", DefaultText: "its own", Destination: &in.KeyPath},
		),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		in.Namespace = cmd.Args().Get(1)
		out, err := c.ShareSecret(ctx, s.ID, in)
		if err != nil {
			return fmt.Errorf("sharing %s into %s: %w", printable(s.KeyPath), printable(in.Namespace), err)
		}
		return f.answer(cmd, out, fmt.Sprintf("secret %s stands in namespace %s as %s", printable(s.KeyPath), printable(out.Namespace), printable(out.KeyPath)))
	})
}

func secretUnshare() *cli.Command {
	var f adminFlags
	var name secretName
	return f.verb(&cli.Command{
		Name: "unshare", ArgsUsage: "SECRET NAMESPACE",
		Usage: "take a secret out of a namespace it was shared into, with the grants of it there",
		Description: `Example:
   cortex secret unshare openai_api_key staging`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		from := cmd.Args().Get(1)
		out, err := c.UnshareSecret(ctx, s.ID, from)
		if err != nil {
			return fmt.Errorf("taking %s out of %s: %w", printable(s.KeyPath), printable(from), err)
		}
		return f.answer(cmd, out, fmt.Sprintf("secret %s is no longer in namespace %s", printable(s.KeyPath), printable(from)))
	})
}
