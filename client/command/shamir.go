package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/server/api"
)

func shamir() *cli.Command {
	var f keyFlags
	var in api.SplitKey
	var out string
	split := f.verb(&cli.Command{
		Name:  "split",
		Usage: "give the key away in shares, some of which open the vault without its password",
		Description: `Prints a share on each line, this once; or writes each to a file of its own, mode 0600,
with --out. Shares of an earlier split are void from then on. To open the vault with
them: CORTEX_RECOVERY_MODE=1 cortex serve.

Example:
   cortex shamir split --threshold 3 --shares 5 --url https://vault.example.com`,
		Flags: []cli.Flag{
			f.current(),
			&cli.IntFlag{Name: "threshold", Usage: "how `MANY` shares it takes", Required: true, Destination: &in.Threshold},
			&cli.IntFlag{Name: "shares", Usage: "how `MANY` shares to make", Required: true, Destination: &in.Shares},
			&cli.StringFlag{Name: "out", Usage: "`DIRECTORY` for the shares, which must not exist", Destination: &out, TakesFile: true},
		},
	}, func(ctx context.Context, cmd *cli.Command, c *client.Client) error {
		current, err := f.currentPassword(ctx, c)
		if err != nil {
			return err
		}
		defer current.Wipe()
		if current.Len() > 0 {
			in.CurrentPassword = api.NewValue(current.Reveal())
		}
		if out != "" {
			if err := os.Mkdir(out, 0o700); err != nil {
				return fmt.Errorf("shares: %w", err)
			}
		}
		made, err := c.SplitKey(ctx, in)
		if err != nil {
			if out != "" {
				os.Remove(out)
			}
			return err
		}
		defer func() {
			for _, s := range made.Shares {
				s.Wipe()
			}
		}()
		return showShares(cmd, made, out, f.json)
	})
	return &cli.Command{
		Name: "shamir", Usage: "recovery shares", Commands: []*cli.Command{split},
		Description: `Example:
   cortex shamir split --threshold 3 --shares 5 --url https://vault.example.com`,
	}
}

func showShares(cmd *cli.Command, made api.SharesMade, dir string, asJSON bool) error {
	switch {
	case dir != "":
		for i, s := range made.Shares {
			if err := writeShare(filepath.Join(dir, fmt.Sprintf("share-%03d", i+1)), s.Reveal()); err != nil {
				return fmt.Errorf("shares: %w", err)
			}
		}
		say(cmd, "cortex: %d shares are in %s; any %d open the vault. Give each to somebody, and keep none here", len(made.Shares), dir, made.Threshold)
	case asJSON:
		return writeJSON(cmd.Root().Writer, made)
	default:
		for _, s := range made.Shares {
			line := append(bytes.Clone(s.Reveal()), '\n')
			_, err := cmd.Root().Writer.Write(line)
			clear(line)
			if err != nil {
				return fmt.Errorf("shares: %w", err)
			}
		}
		say(cmd, "cortex: any %d of these %d shares open the vault; they are shown this once", made.Threshold, len(made.Shares))
	}
	return nil
}

func writeShare(path string, share []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	line := append(bytes.Clone(share), '\n')
	defer clear(line)
	_, err = f.Write(line)
	return errors.Join(err, f.Sync(), f.Close())
}
