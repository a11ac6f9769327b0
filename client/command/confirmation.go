package command

import (
	"context"
	"fmt"
	"iter"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func confirmation() noun {
	return noun{"confirmation", "be the second person that a request needs", "cortex confirmation list", verbs{
		confirmationList, confirmationConfirm, confirmationReject,
	}}
}

func confirmationList() *cli.Command {
	return listVerb(&cli.Command{
		Usage: "list what waits for a second person, or was just confirmed, newest first",
		Description: `Example:
   cortex confirmation list`,
	}, func(ctx context.Context, c *client.Client) iter.Seq2[api.Confirmation, error] {
		return whole(c.Confirmations(ctx))
	}, table[api.Confirmation]{"ID\tACTION\tWHAT\tASKED BY\tCREATED\tEXPIRES\tCONFIRMED BY", func(n api.Confirmation) []string {
		return []string{n.ID, n.Action, n.What, n.AskedBy, n.CreatedAt.String(), n.ExpiresAt.String(), textOr(n.ConfirmedBy)}
	}})
}

func confirmationConfirm() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "confirm", ArgsUsage: "ID",
		Usage: "let happen what somebody else asked for, when it is asked for again",
		Description: `Example:
   cortex confirmation confirm 5f0c7d3e-1a56-4f0e-8a11-3d9f2f6b7c10`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.Confirm(ctx, cmd.Args().First())
		if err != nil {
			return about("confirmation", cmd.Args().First(), err)
		}
		return f.answer(cmd, out, fmt.Sprintf("confirmed %s %s; %s sends it again before %s UTC", printable(out.Action), printable(out.What), printable(out.AskedBy), out.ExpiresAt))
	})
}

func confirmationReject() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "reject", ArgsUsage: "ID",
		Usage: "turn down what waits for a second person",
		Description: `Example:
   cortex confirmation reject 5f0c7d3e-1a56-4f0e-8a11-3d9f2f6b7c10`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.RejectConfirmation(ctx, cmd.Args().First())
		if err != nil {
			return about("confirmation", cmd.Args().First(), err)
		}
		return f.answer(cmd, out, "turned it down")
	})
}
