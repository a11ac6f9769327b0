package command

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func freeze() noun {
	return noun{"freeze", "cut something off at once, and let it in again", `cortex freeze add agent build-bot --reason "laptop stolen"`, verbs{
		freezeList, freezeAdd, freezeLift,
	}}
}

func freezeList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list what is frozen, newest first",
		Description: `Example:
   cortex freeze list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Freeze, error] {
		return whole(c.Freezes(ctx))
	}, table[api.Freeze]{"KIND\tNAME\tNAMESPACE\tFROZEN BY\tFROZEN\tREASON", func(z api.Freeze) []string {
		return []string{z.Kind, z.Name, z.Namespace, z.FrozenBy, z.FrozenAt.String(), textOr(z.Reason)}
	}})
}

func freezeAdd() *cli.Command {
	var f adminFlags
	var in api.FreezeTarget
	var reason string
	return f.verb(&cli.Command{
		Name: "add", ArgsUsage: "KIND NAME",
		Usage: "cut off an agent, a project, a secret or a namespace, until it is lifted",
		Description: `Examples:
   cortex freeze add agent build-bot --reason "laptop stolen"
   cortex freeze add secret db/password --namespace prod`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "reason", Usage: "`TEXT` that says why", Destination: &reason},
			namespaceFlag(&in.Namespace, "the `NAME` of its namespace"),
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		in.Kind, in.Name, in.Reason = cmd.Args().First(), cmd.Args().Get(1), given(cmd, "reason", reason)
		out, err := c.Freeze(ctx, in)
		switch {
		case errors.Is(err, api.NotFound):
			return client.WithHint(about(in.Kind, in.Name, err), "to see what there is: "+f.next("cortex "+in.Kind+" list"))
		case err != nil:
			return about(in.Kind, in.Name, whichNamespace(err, in.Namespace))
		case out.AlreadyFrozen:
			return f.answer(cmd, out, fmt.Sprintf("%s %s was frozen before", printable(out.Kind), printable(out.Name)))
		}
		return f.answer(cmd, out, fmt.Sprintf("froze %s %s; to let it in again: %s", printable(out.Kind), printable(out.Name), f.next("cortex freeze lift "+in.Kind+" "+shellWord(in.Name))))
	})
}

func freezeLift() *cli.Command {
	var f adminFlags
	var in api.FreezeTarget
	return f.verb(&cli.Command{
		Name: "lift", ArgsUsage: "KIND NAME",
		Usage: "let in again what is frozen, also by a honey secret",
		Description: `Example:
   cortex freeze lift agent build-bot`,
		Flags: []cli.Flag{namespaceFlag(&in.Namespace, "the `NAME` of its namespace")},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		in.Kind, in.Name = cmd.Args().First(), cmd.Args().Get(1)
		out, err := c.Unfreeze(ctx, in)
		if err != nil {
			return about(in.Kind, in.Name, whichNamespace(err, in.Namespace))
		}
		return f.answer(cmd, out, fmt.Sprintf("%s %s is let in again", printable(out.Kind), printable(out.Name)))
	})
}
