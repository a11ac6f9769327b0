package command

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// keyFlags are what the verbs about keys have in common.
type keyFlags struct {
	adminFlags
	currentFile string
}

func (f *keyFlags) current() cli.Flag {
	return &cli.StringFlag{Name: "current-file", Usage: "`FILE` with the current operator password", Destination: &f.currentFile, TakesFile: true}
}

// currentPassword asks for the operator's password where an account has to give
// it; the administrator's token needs none.
func (f *keyFlags) currentPassword(ctx context.Context, c *client.Client) (opaque.Bytes, error) {
	if f.currentFile == "" {
		who, err := c.WhoAmI(ctx)
		if err != nil || who.Name == "admin" {
			return opaque.Bytes{}, err
		}
	}
	return secretFrom(ctx, f.currentFile, "current operator password")
}

func newFileFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "new-file", Usage: "`FILE` with the new operator password", Destination: dst, TakesFile: true}
}

func changePassword() *cli.Command {
	var f keyFlags
	var newFile string
	var recovered bool
	return f.verb(&cli.Command{
		Name:  "change-password",
		Usage: "give the vault another operator password",
		Description: `Asks for the current password and for the new one, twice. The key stays the same, and
so do recovery shares. After a recovery nobody knows the current one: --recovered.

Example:
   cortex change-password --url https://vault.example.com`,
		Flags: []cli.Flag{
			f.current(), newFileFlag(&newFile),
			&cli.BoolFlag{Name: "recovered", Usage: "the vault was opened with shares; do not ask for the current password", Destination: &recovered},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		var current opaque.Bytes
		if !recovered {
			var err error
			if current, err = secretFrom(ctx, f.currentFile, "current operator password"); err != nil {
				return err
			}
		}
		defer current.Wipe()
		next, err := newPassword(ctx, newFile, "operator password")
		if err != nil {
			return err
		}
		defer next.Wipe()
		in := api.ChangeKEKPassword{NewPassword: api.NewValue(next.Reveal())}
		if !recovered {
			in.CurrentPassword = api.NewValue(current.Reveal())
		}
		out, err := c.ChangeKEKPassword(ctx, in)
		if err != nil {
			return err
		}
		return f.answer(cmd, out, "the operator password was changed")
	})
}

func rotateKey() *cli.Command {
	var f keyFlags
	var newFile string
	return f.verb(&cli.Command{
		Name:  "rotate-key",
		Usage: "give the vault a new key under a new operator password",
		Description: `Everything is wrapped anew under a new key, while the server goes on; this waits for
that. From the beginning only the new password opens the vault, and recovery shares
are void: split the key again.

Example:
   cortex rotate-key --url https://vault.example.com`,
		Flags: []cli.Flag{f.current(), newFileFlag(&newFile)},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		current, err := f.currentPassword(ctx, c)
		if err != nil {
			return err
		}
		defer current.Wipe()
		next, err := newPassword(ctx, newFile, "operator password")
		if err != nil {
			return err
		}
		defer next.Wipe()
		in := api.RotateKey{NewKEKPassword: api.NewValue(next.Reveal())}
		if current.Len() > 0 {
			in.CurrentPassword = api.NewValue(current.Reveal())
		}
		out, err := c.RotateKey(ctx, in)
		if err != nil {
			return err
		}
		if !out.Finished {
			if out, err = watchRotation(ctx, cmd, c, out); err != nil {
				return err
			}
		}
		if out.Unopened > 0 {
			say(cmd, "cortex: %d lost: their keys do not open; the server's log names them", out.Unopened)
		}
		return f.answer(cmd, out,
			fmt.Sprintf("the key was rotated to version %d; %d wrapped anew", out.NewKEKVersion, out.SecretsRewrapped),
			"the old password and all recovery shares are void; backups from before still open with them")
	})
}

// printableID keeps an id that could play tricks off the screen.
func printableID(id string) string {
	for i := range len(id) {
		if c := id[i]; c <= ' ' || c >= 0x7f {
			return "ID"
		}
	}
	return id
}

// watchRotation says how far a rotation has come until it is finished.
func watchRotation(ctx context.Context, cmd *cli.Command, c *client.Client, out api.RotatedKey) (api.RotatedKey, error) {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		r, err := c.Rotation(ctx)
		if err != nil {
			return out, err
		}
		out.SecretsRewrapped, out.Unopened = r.Rewrapped, r.Unopened
		if r.FinishedAt != nil && !r.Compacting {
			out.Finished = true
			return out, nil
		}
		say(cmd, "cortex: %d wrapped anew …", r.Rewrapped)
		if r.Problem != "" {
			say(cmd, "cortex: %s", printable(r.Problem))
		}
		select {
		case <-ctx.Done():
			return out, client.WithHint(ctx.Err(), "the rotation goes on by itself; only the new password opens the vault")
		case <-tick.C:
		}
	}
}

func rotateSigningKey() *cli.Command {
	var f adminFlags
	return f.verb(&cli.Command{
		Name:  "rotate-signing-key",
		Usage: "sign tokens with a new key; the old ones stay verifiable",
		Description: `Example:
   cortex rotate-signing-key --url https://vault.example.com`,
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		out, err := c.RotateSigningKey(ctx)
		if err != nil {
			return err
		}
		return f.answer(cmd, out, fmt.Sprintf("tokens are signed with key %s from now on", printableID(out.KID)))
	})
}
