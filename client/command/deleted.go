package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/prompt"
)

func secretDelete() *cli.Command {
	var f adminFlags
	var name secretName
	return f.verb(&cli.Command{
		Name: "delete", ArgsUsage: "SECRET",
		Usage: "delete a secret, with its grants and shares; for 30 days it can be had back",
		Description: `Example:
   cortex secret delete openai_api_key`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		out, err := c.DeleteSecret(ctx, s.ID)
		if err != nil {
			return about("secret", s.KeyPath, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("deleted secret %s; to have it back: %s", printable(s.KeyPath), f.next("cortex secret undelete "+printableID(s.ID))))
	})
}

func secretUndelete() *cli.Command {
	var f adminFlags
	var name secretName
	name.filter.Deleted = true
	return f.verb(&cli.Command{
		Name: "undelete", ArgsUsage: "SECRET",
		Usage: "bring a deleted secret back, without the grants and shares it had",
		Description: `Example:
   cortex secret undelete openai_api_key`,
		Flags: name.flags(),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return client.WithHint(err, "to see what was deleted: "+f.next("cortex secret list --deleted"))
		}
		out, err := c.UndeleteSecret(ctx, s.ID)
		if err != nil {
			return about("secret", s.KeyPath, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("secret %s is back in namespace %s; grants and shares have to be made again", printable(out.KeyPath), printable(out.Namespace)))
	})
}

func secretDestroy() *cli.Command {
	var f adminFlags
	var name secretName
	var yes bool
	return f.verb(&cli.Command{
		Name: "destroy", ArgsUsage: "SECRET",
		Usage: "delete a secret and all its values for good",
		Description: `Asks for the secret's path once more. Nothing brings it back but a backup from before.

Examples:
   cortex secret destroy openai_api_key
   cortex secret destroy openai_api_key --deleted --yes`,
		Flags: name.flags(
			&cli.BoolFlag{Name: "deleted", Usage: "one that was deleted before", Destination: &name.filter.Deleted},
			&cli.BoolFlag{Name: "yes", Usage: "do not ask", Destination: &yes},
		),
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		s, err := name.find(ctx, c, cmd.Args().First())
		if err != nil {
			return err
		}
		if !yes {
			if err := typedAgain(ctx, s.KeyPath); err != nil {
				return err
			}
		}
		out, err := c.DestroySecret(ctx, s.ID)
		if err != nil {
			return about("secret", s.KeyPath, err)
		}
		return f.answer(cmd, out, fmt.Sprintf("destroyed secret %s, %d values", printable(s.KeyPath), out.Versions), printable(out.Note))
	})
}

// typedAgain has the person at the terminal type a name once more.
func typedAgain(ctx context.Context, name string) error {
	typed, err := prompt.Line(ctx, "to destroy "+printable(name)+", type its path")
	switch {
	case errors.Is(err, prompt.ErrNoTerminal):
		return client.WithHint(err, "to do it without being asked: --yes")
	case err != nil:
		return err
	case typed != name:
		return errors.New("that is another path; nothing was changed")
	}
	return nil
}
