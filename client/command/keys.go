package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Keys returns the verbs about the vault's own keys.
func Keys() []*cli.Command {
	return []*cli.Command{changePassword(), rotateKey(), rotateSigningKey(), shamir(), sealCommand(), unsealCommand(), sealStatus()}
}

// keyFlags are what the verbs of an administrator about keys have in common.
type keyFlags struct {
	url, tokenFile, currentFile string
	json                        bool
}

func (f *keyFlags) flags(more ...cli.Flag) []cli.Flag {
	return append([]cli.Flag{
		urlFlag(&f.url),
		&cli.StringFlag{Name: "admin-token-file", Usage: "`FILE` with the admin token", Sources: cli.EnvVars("ADMIN_TOKEN_FILE"), Destination: &f.tokenFile, TakesFile: true},
		jsonFlag(&f.json),
	}, more...)
}

func (f *keyFlags) current() cli.Flag {
	return &cli.StringFlag{Name: "current-file", Usage: "`FILE` with the current operator password", Destination: &f.currentFile, TakesFile: true}
}

// client returns a client of the server, with the admin token.
func (f *keyFlags) client() (*client.Client, error) {
	token, err := adminToken(f.tokenFile)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{URL: f.url, AdminToken: token})
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
	return secretFrom(ctx, f.currentFile, "Current operator password: ")
}

// secretFrom returns a secret from a file, or from the person at the terminal.
// White space around it does not count.
func secretFrom(ctx context.Context, file, label string) (opaque.Bytes, error) {
	if file == "" {
		s, err := prompt.Secret(ctx, label)
		if errors.Is(err, prompt.ErrNoTerminal) {
			err = client.WithHint(err, "name a file for it; see --help")
		}
		return s, err
	}
	f, err := os.Open(file)
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 4096))
	if err != nil {
		return opaque.Bytes{}, err
	}
	return opaque.New(bytes.TrimSpace(text)), nil
}

// newPassword returns a new password from a file, or from the person at the
// terminal, who types it twice.
func newPassword(ctx context.Context, file string) (opaque.Bytes, error) {
	first, err := secretFrom(ctx, file, "New operator password: ")
	if err != nil || file != "" {
		return first, err
	}
	again, err := secretFrom(ctx, "", "The same password again: ")
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer again.Wipe()
	if !bytes.Equal(first.Reveal(), again.Reveal()) {
		first.Wipe()
		return opaque.Bytes{}, errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}

func newFileFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "new-file", Usage: "`FILE` with the new operator password", Destination: dst, TakesFile: true}
}

func changePassword() *cli.Command {
	var f keyFlags
	var newFile string
	var recovered bool
	return &cli.Command{
		Name:  "change-password",
		Usage: "give the vault another operator password",
		Description: `Asks for the current password and for the new one, twice. The key stays the same, and
so do recovery shares. After a recovery nobody knows the current one: --recovered.

Example:
   cortex change-password --url https://vault.example.com`,
		Flags: f.flags(f.current(), newFileFlag(&newFile),
			&cli.BoolFlag{Name: "recovered", Usage: "the vault was opened with shares; do not ask for the current password", Destination: &recovered}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			var current opaque.Bytes
			if !recovered {
				if current, err = secretFrom(ctx, f.currentFile, "Current operator password: "); err != nil {
					return err
				}
			}
			defer current.Wipe()
			next, err := newPassword(ctx, newFile)
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
			if f.json {
				return writeJSON(cmd.Root().Writer, out)
			}
			say(cmd, "cortex: the operator password was changed")
			return nil
		},
	}
}

func rotateKey() *cli.Command {
	var f keyFlags
	var newFile string
	return &cli.Command{
		Name:  "rotate-key",
		Usage: "give the vault a new key under a new operator password",
		Description: `Everything is wrapped anew under a new key, while the server goes on; this waits for
that. From the beginning only the new password opens the vault, and recovery shares
are void: split the key again.

Example:
   cortex rotate-key --url https://vault.example.com`,
		Flags: f.flags(f.current(), newFileFlag(&newFile)),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			current, err := f.currentPassword(ctx, c)
			if err != nil {
				return err
			}
			defer current.Wipe()
			next, err := newPassword(ctx, newFile)
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
				return confirmHint(err)
			}
			if !out.Finished {
				if out, err = watchRotation(ctx, cmd, c, out); err != nil {
					return err
				}
			}
			if f.json {
				return writeJSON(cmd.Root().Writer, out)
			}
			say(cmd, "cortex: the key was rotated to version %d; %d wrapped anew", out.NewKEKVersion, out.SecretsRewrapped)
			say(cmd, "cortex: the old password and all recovery shares are void; backups from before still open with them")
			return nil
		},
	}
}

// confirmHint says what to do about a request that needs a second person.
func confirmHint(err error) error {
	if e, ok := errors.AsType[*api.Error](err); ok && e.ConfirmationID != "" {
		return client.WithHint(err, "another super account: cortex confirmation confirm "+printableID(e.ConfirmationID))
	}
	return err
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
		out.SecretsRewrapped = r.Rewrapped
		if r.FinishedAt != nil && !r.Compacting {
			out.Finished = true
			return out, nil
		}
		say(cmd, "cortex: %d wrapped anew …", r.Rewrapped)
		select {
		case <-ctx.Done():
			return out, client.WithHint(ctx.Err(), "the rotation goes on by itself; only the new password opens the vault")
		case <-tick.C:
		}
	}
}

func rotateSigningKey() *cli.Command {
	var f keyFlags
	return &cli.Command{
		Name:  "rotate-signing-key",
		Usage: "sign tokens with a new key; the old ones stay verifiable",
		Description: `Example:
   cortex rotate-signing-key --url https://vault.example.com`,
		Flags: f.flags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			out, err := c.RotateSigningKey(ctx)
			if err != nil {
				return err
			}
			if f.json {
				return writeJSON(cmd.Root().Writer, out)
			}
			say(cmd, "cortex: tokens are signed with key %s from now on", printableID(out.KID))
			return nil
		},
	}
}

func shamir() *cli.Command {
	var f keyFlags
	var in api.SplitKey
	var out string
	split := &cli.Command{
		Name:  "split",
		Usage: "give the key away in shares, some of which open the vault without its password",
		Description: `Prints a share on each line, this once; or writes each to a file of its own, mode 0600,
with --out. Shares of an earlier split are void from then on. To open the vault with
them: CORTEX_RECOVERY_MODE=1 cortex serve.

Example:
   cortex shamir split --threshold 3 --shares 5 --url https://vault.example.com`,
		Flags: f.flags(f.current(),
			&cli.IntFlag{Name: "threshold", Usage: "how `MANY` shares it takes", Required: true, Destination: &in.Threshold},
			&cli.IntFlag{Name: "shares", Usage: "how `MANY` shares to make", Required: true, Destination: &in.Shares},
			&cli.StringFlag{Name: "out", Usage: "`DIRECTORY` for the shares, which must not exist", Destination: &out, TakesFile: true}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := f.client()
			if err != nil {
				return err
			}
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
				return confirmHint(err)
			}
			defer func() {
				for _, s := range made.Shares {
					s.Wipe()
				}
			}()
			return showShares(cmd, made, out, f.json)
		},
	}
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

func sealCommand() *cli.Command {
	var f keyFlags
	return &cli.Command{
		Name:  "seal",
		Usage: "take the vault's keys out of the server's memory",
		Description: `The server goes on and answers 503 until somebody unseals the vault, or restarts the
server with the operator password.

Example:
   cortex seal --url https://vault.example.com`,
		Flags: f.flags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := f.client()
			if err != nil {
				return err
			}
			out, err := c.Seal(ctx)
			return f.report(cmd, out, err)
		},
	}
}

func sealStatus() *cli.Command {
	var f keyFlags
	return &cli.Command{
		Name:  "seal-status",
		Usage: "say whether the vault is sealed",
		Description: `Exit status 0 if it is open, 1 if it is sealed.

Example:
   cortex seal-status --url https://vault.example.com`,
		Flags: []cli.Flag{urlFlag(&f.url), jsonFlag(&f.json)},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := client.New(client.Config{URL: f.url})
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
	var f keyFlags
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
			urlFlag(&f.url), jsonFlag(&f.json),
			&cli.StringFlag{Name: "password-file", Usage: "`FILE` with the operator password", Destination: &passwordFile, TakesFile: true},
			&cli.BoolFlag{Name: "shares", Usage: "open it with recovery shares", Destination: &shares},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := client.New(client.Config{URL: f.url})
			if err != nil {
				return err
			}
			if shares {
				out, err := unsealWithShares(ctx, cmd, c)
				return f.report(cmd, out, err)
			}
			password, err := secretFrom(ctx, passwordFile, "Operator password: ")
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
		share, err := secretFrom(ctx, "", fmt.Sprintf("Recovery share %d: ", n))
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
func (f *keyFlags) report(cmd *cli.Command, out api.SealStatus, err error) error {
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
