package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"
	"golang.org/x/term"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/vault/harden"
)

// Backup returns the verb that fetches a backup from a running server.
func Backup() *cli.Command {
	var url, pinned, out, tokenFile string
	return &cli.Command{
		Name:  "backup",
		Usage: "fetch a backup of the vault from a running server",
		Description: `The server goes on meanwhile. The backup is encrypted as the vault's file is: it is
as secret as the operator password is good. Names are in it in clear. It is checked as
it arrives. "cortex restore" makes a vault of it.

The admin token comes from ADMIN_TOKEN, or the file of --admin-token-file, or is asked
for.`,
		Flags: []cli.Flag{
			urlFlag(&url), pinFlag(&pinned),
			&cli.StringFlag{Name: "out", Usage: "`FILE` to write, which must not exist", Required: true, Destination: &out, TakesFile: true},
			adminTokenFlag(&tokenFile),
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			harden.Client()
			token, err := adminToken(ctx, tokenFile)
			if err != nil {
				return err
			}
			defer token.Wipe()
			c, err := connect(url, pinned, token)
			if err != nil {
				return err
			}
			return fetchBackup(ctx, cmd, c, out)
		},
	}
}

// fetchBackup writes a backup to a new file, which is there, whole and on the
// disk, or not there at all.
func fetchBackup(ctx context.Context, cmd *cli.Command, c *client.Client, out string) (err error) {
	f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(out)
		}
	}()
	p := &progress{to: cmd.Root().ErrWriter, shown: time.Now()}
	h, err := c.Backup(ctx, io.MultiWriter(f, p))
	p.end()
	if err != nil {
		return err
	}
	if err := errors.Join(f.Chmod(0o600), f.Sync(), syncDir(filepath.Dir(out))); err != nil {
		return fmt.Errorf("writing the backup: %w", err)
	}
	say(cmd, "%s: vault %s as of %s, %d bytes, checksum verified", out, h.VaultID, h.Time.Format(time.RFC3339), p.n)
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// progress shows on a terminal how far a transfer is.
type progress struct {
	to    io.Writer
	n     int64
	shown time.Time
	wrote bool
}

// Write counts b, and shows the count now and then.
func (p *progress) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	f, ok := p.to.(*os.File)
	if ok && time.Since(p.shown) > time.Second && term.IsTerminal(int(f.Fd())) {
		p.shown, p.wrote = time.Now(), true
		fmt.Fprintf(f, "\r%d MiB", p.n>>20)
	}
	return len(b), nil
}

func (p *progress) end() {
	if p.wrote {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
