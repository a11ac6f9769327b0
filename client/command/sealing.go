package command

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func sealCommand() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name:  "seal",
		Usage: "take the vault's keys out of the server's memory",
		Description: `The server goes on and answers 503 until somebody unseals the vault, or restarts the
server with the operator password.

Example:
   cortex seal --url https://vault.example.com`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.Seal(ctx)
		return f.report(cmd, out, err)
	})
}

func sealStatus() *cli.Command {
	var f adminFlags
	return &cli.Command{
		Name:  "seal-status",
		Usage: "say whether the vault is sealed",
		Description: `Exit status 0 if it is open, 1 if it is sealed.

Example:
   cortex seal-status --url https://vault.example.com`,
		Flags: []cli.Flag{urlFlag(&f.url), pinFlag(&f.pin), jsonFlag(&f.json)},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := connect(f.url, f.pin, opaque.Bytes{})
			if err != nil {
				return err
			}
			out, err := c.SealStatus(ctx)
			if err := f.report(cmd, out, err); err != nil || !out.Sealed {
				return err
			}
			return &ExitError{Code: 1}
		},
	}
}

func unsealCommand() *cli.Command {
	var f adminFlags
	var passwordFile string
	var shares bool
	return &cli.Command{
		Name:  "unseal",
		Usage: "open a sealed vault with the operator password, or with shares",
		Description: `Asks for the password; with --shares for one share after the other, until there are
enough. Both travel over TLS, or to this machine.

Example:
   cortex unseal --url https://vault.example.com`,
		Flags: []cli.Flag{
			urlFlag(&f.url), pinFlag(&f.pin), jsonFlag(&f.json),
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` with the operator password", Destination: &passwordFile, TakesFile: true},
			&cli.BoolFlag{Name: "shares", Usage: "open it with recovery shares", Destination: &shares},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := connect(f.url, f.pin, opaque.Bytes{})
			if err != nil {
				return err
			}
			if shares {
				out, err := unsealWithShares(ctx, cmd, c)
				return f.report(cmd, out, err)
			}
			password, err := secretFrom(ctx, passwordFile, "operator password")
			if err != nil {
				return err
			}
			defer password.Wipe()
			out, err := c.Unseal(ctx, api.UnsealRequest{Password: api.NewValue(password.Reveal())})
			return f.report(cmd, out, err)
		},
	}
}

// unsealWithShares asks for shares until there are enough. One that does not fit
// is asked for again.
func unsealWithShares(ctx context.Context, cmd *cli.Command, c *client.Client) (out api.SealStatus, err error) {
	attempt := ""
	for n := 1; ; {
		share, err := secretFrom(ctx, "", fmt.Sprintf("recovery share %d", n))
		if err != nil {
			return out, err
		}
		next, err := c.Unseal(ctx, api.UnsealRequest{Share: api.NewValue(share.Reveal()), Attempt: attempt})
		share.Wipe()
		if errors.Is(err, api.InvalidRequest) {
			say(cmd, "cortex: %v; try again", err)
			continue
		}
		if err != nil || !next.Sealed {
			return next, err
		}
		attempt = next.Attempt
		say(cmd, "cortex: %d more", next.Missing)
		n++
	}
}

// report shows a seal status.
func (f *adminFlags) report(cmd *cli.Command, out api.SealStatus, err error) error {
	switch {
	case err != nil:
		return err
	case f.json:
		return writeJSON(cmd.Root().Writer, out)
	case out.Sealed:
		fmt.Fprintln(cmd.Root().Writer, "sealed")
	case out.Recovered:
		fmt.Fprintln(cmd.Root().Writer, "open, with shares: set a new password (cortex change-password --recovered)")
	default:
		fmt.Fprintln(cmd.Root().Writer, "open")
	}
	return nil
}
