package command

import (
	"context"
	"fmt"
	"strconv"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func channelDeadLetters() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "dead-letters", ArgsUsage: "CHANNEL",
		Usage: "list the messages that a channel did not get, oldest first",
		Description: `Example:
   cortex channel dead-letters ops`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		h, err := findChannel(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		rows, err := c.DeadLetters(ctx, h.ID)
		if err != nil {
			return about("channel", h.Name, err)
		}
		return showRows(&f, cmd, rows, table[api.DeadLetter]{"NUMBER\tKIND\tSEVERITY\tAGENT\tPROJECT\tRESOURCE\tCREATED\tATTEMPTS\tERROR", func(d api.DeadLetter) []string {
			return []string{fmt.Sprint(d.Number), d.Kind, d.Severity, d.AgentID, d.ProjectName, d.Resource, d.CreatedAt.String(), fmt.Sprint(d.Attempts), d.Error}
		}})
	})
}

func channelRetry() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name: "retry", ArgsUsage: "CHANNEL [NUMBER]",
		Usage: "send again what a channel did not get: one message, or all",
		Description: `Examples:
   cortex channel retry ops
   cortex channel retry ops 7`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		var number uint64
		if text := cmd.Args().Get(1); text != "" {
			var err error
			if number, err = strconv.ParseUint(text, 10, 64); err != nil || number == 0 {
				return usage(cmd, fmt.Errorf("bad number %q: see cortex channel dead-letters", text))
			}
		}
		h, err := findChannel(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		out, err := retry(ctx, c, h.ID, number)
		if err != nil {
			return about("channel", h.Name, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("%d wait to be sent over channel %s again", out.Queued, printable(h.Name)))
	})
}

// retry queues one dead letter, or all if the number is 0.
func retry(ctx context.Context, c *client.Client, channel string, number uint64) (api.Retried, error) {
	if number == 0 {
		return c.RetryDeadLetters(ctx, channel)
	}
	return c.RetryDeadLetter(ctx, channel, number)
}
