package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/backup"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// RestoreCommand returns the verb that makes a vault file of a backup.
func RestoreCommand() *cli.Command {
	var r restoring
	return &cli.Command{
		Name:  "restore",
		Usage: "make a vault file of a backup",
		Description: `Nothing is overwritten: the vault's file must not exist. The backup's checksum, every
page of the file and the audit trail are checked first, its MACs too if the operator
password is given in CORTEX_KEK_PASSWORD, a file or the credential "kek-password".

The next start of the server ends every token, session and log-in in the vault, and
raises an alarm: what had ended since the backup was made would be good again.

A vault that was served with CORTEX_TWO_PERSON=1, or is to be, takes a second person:
--confirm-as names a super account that is in the backup, whose holder types its
password. The operator password is needed then as well.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "from", Usage: "the backup's `FILE`", Required: true, Destination: &r.from, TakesFile: true},
			&cli.StringFlag{Name: "db", Usage: "vault `FILE` to make, or bolt://FILE", Required: true, Sources: cli.EnvVars("DATABASE_URL"), Destination: &r.database, TakesFile: true},
			&cli.StringFlag{Name: "kek-password-file", Usage: "`FILE` with the operator password", Sources: cli.EnvVars("CORTEX_KEK_PASSWORD_FILE"), Destination: &r.passwordFile, TakesFile: true},
			&cli.StringFlag{Name: "confirm-as", Usage: "`NAME` of the super account that confirms", Destination: &r.second.name},
			&cli.StringFlag{Name: "confirm-password-file", Usage: "`FILE` with its password", Destination: &r.second.file, TakesFile: true},
			&cli.BoolFlag{Name: "two-person", Usage: "insist on a second person (CORTEX_TWO_PERSON=1)", Destination: &r.twoPerson},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := harden.Refuse(os.Environ()); err != nil {
				return err
			}
			r.twoPerson = r.twoPerson || switchedOn("CORTEX_TWO_PERSON")
			r.out, r.stdin = cmd.Root().Writer, os.Stdin
			r.log = slog.New(slog.NewTextHandler(cmd.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
			harden.Process(harden.Options{}).Log(r.log)
			return r.run(ctx)
		},
	}
}

// A restoring is one run of restore.
type restoring struct {
	from, database, passwordFile string
	second                       secondPerson
	twoPerson                    bool // whatever the backup says

	out   io.Writer
	stdin *os.File
	log   *slog.Logger
}

func (r restoring) run(ctx context.Context) error {
	path, err := store.ParseURL(r.database)
	if err != nil {
		return err
	}
	if err := absent(path); err != nil {
		return err
	}
	password, err := r.password(ctx)
	if err != nil {
		return err
	}
	defer password.Wipe()
	part, header, err := r.unpack(ctx, path)
	if err != nil {
		return err
	}
	defer remove(part)
	report, err := r.verify(ctx, part, header, password)
	if err != nil {
		return fmt.Errorf("%s: %w", r.from, err)
	}
	if err := store.Appear(part, path); err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	checked := "hashes and MACs"
	if !report.Keyed {
		checked = "hashes only: no password was given"
	}
	_, err = fmt.Fprintf(r.out, "%s: vault %s as of %s, audit records %d to %d (%s)\nThe next start ends every token, session and log-in in it.\n",
		path, header.VaultID, header.Time.Format(time.RFC3339), report.First, report.Last, checked)
	return err
}

// absent refuses a path where there is something.
func absent(path string) error {
	_, err := os.Lstat(path)
	switch {
	case err == nil:
		return fmt.Errorf("refusing to overwrite %s: move it away, or name another file with --db", path)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// unpack writes the file in the backup beside the path where it is to be, and
// onto the disk.
func (r restoring) unpack(ctx context.Context, path string) (part string, h backup.Header, err error) {
	in, err := secretfile.Open(ctx, r.from)
	if err != nil {
		return "", h, fmt.Errorf("reading backup: %w", err)
	}
	defer in.Close()
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".restoring-*") // mode 0600
	if err != nil {
		return "", h, fmt.Errorf("restoring: %w", err)
	}
	h, err = backup.Read(f, in)
	if err != nil {
		err = fmt.Errorf("%s: %w", r.from, err)
	} else {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		remove(f.Name())
		return "", h, err
	}
	return f.Name(), h, nil
}

// verify looks into the file, and marks it as restored.
func (r restoring) verify(ctx context.Context, part string, h backup.Header, password opaque.Bytes) (report audit.Report, err error) {
	about, err := store.Inspect(part)
	if err != nil {
		return report, err
	}
	if about.Schema != h.Schema {
		return report, fmt.Errorf("%w: its header speaks of schema %d, its file has %d", backup.ErrDamaged, h.Schema, about.Schema)
	}
	db, err := store.Open(store.Options{Path: part, Log: r.log})
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Check(ctx); err != nil {
		return report, err
	}
	v := vault.New(vault.Config{DB: db, Log: r.log})
	if report, err = verifyTrail(ctx, v, password); err != nil {
		return report, err
	}
	if report.Broken != nil {
		return report, fmt.Errorf("its audit trail is BROKEN at %s", report.Broken)
	}
	head, err := audit.ParseHead(h.Head)
	if err != nil || head.VaultID != h.VaultID || head.Seq != report.Last {
		return report, fmt.Errorf("%w: its header is not about its file", backup.ErrDamaged)
	}
	return report, r.mark(ctx, v, h.Time, password)
}

// verifyTrail replays the audit trail, with its MACs if there is a password.
func verifyTrail(ctx context.Context, v *vault.Vault, password opaque.Bytes) (audit.Report, error) {
	if password.IsZero() {
		return v.VerifyAuditUnkeyed(ctx, nil)
	}
	return v.VerifyAuditWith(ctx, password, nil)
}

// remove removes what is not needed any more of a file that was to become a
// vault, with its lock.
func remove(part string) {
	_ = os.Remove(part)
	_ = os.Remove(part + ".lock")
}
