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
	return oneVerb(&cli.Command{
		Name: "confirm", ArgsUsage: "ID",
		Usage: "let happen what somebody else asked for, when it is asked for again",
		Description: `Example:
   cortex confirmation confirm 5f0c7d3e-1a56-4f0e-8a11-3d9f2f6b7c10`,
	}, "confirmation", named, func(ctx context.Context, c *client.Client, id string) (api.Confirmation, error) {
		return c.Confirm(ctx, id)
	}, func(_ string, n api.Confirmation) string {
		return fmt.Sprintf("confirmed %s %s; %s sends it again before %s UTC", printable(n.Action), printable(n.What), printable(n.AskedBy), n.ExpiresAt)
	})
}

func confirmationReject() *cli.Command {
	return oneVerb(&cli.Command{
		Name: "reject", ArgsUsage: "ID",
		Usage: "turn down what waits for a second person",
		Description: `Example:
   cortex confirmation reject 5f0c7d3e-1a56-4f0e-8a11-3d9f2f6b7c10`,
	}, "confirmation", named, func(ctx context.Context, c *client.Client, id string) (api.Deleted, error) {
		return c.RejectConfirmation(ctx, id)
	}, func(string, api.Deleted) string { return "turned it down" })
}
