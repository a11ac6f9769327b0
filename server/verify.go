package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/harden"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// The exit statuses of verify-audit, besides 0 for an intact trail.
const (
	exitBroken     = 1
	exitCannotLook = 2
)

// An exitError is an error with the status a program ends with.
type exitError struct {
	code int
	err  error
}

var _ cli.ExitCoder = (*exitError)(nil)

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// ExitCode returns the status.
func (e *exitError) ExitCode() int { return e.code }

// VerifyAuditCommand returns the verb that replays the audit trail of a vault
// file. Its error has the exit status: 1 for a broken trail, 2 where it could
// not look.
func VerifyAuditCommand() *cli.Command {
	var a audition
	return &cli.Command{
		Name:  "verify-audit",
		Usage: "replay the audit trail of a vault file",
		Description: `Checks every record against the one before it, its MAC, and the recorded end of the
trail. Exits with 0 if it is intact, 1 if it is broken, and 2 if it could not look.

The MACs need the operator password, which is asked for as "serve" does. The server must
not be running on that file.`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "db", Usage: "vault `FILE`, or bolt://FILE", Required: true, Sources: cli.EnvVars("DATABASE_URL"), Destination: &a.database, TakesFile: true},
			&cli.BoolFlag{Name: "unkeyed", Usage: "check hashes only, without the password: shows accidents, but not a forger", Destination: &a.unkeyed},
			&cli.StringFlag{Name: "kek-password-file", Usage: "`FILE` with the operator password", Sources: cli.EnvVars("CORTEX_KEK_PASSWORD_FILE"), Destination: &a.passwordFile, TakesFile: true},
			&cli.BoolFlag{Name: "json", Usage: "print JSON on stdout", Destination: &a.json},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			a.stdin, a.stdout = os.Stdin, cmd.Root().Writer
			a.log = slog.New(slog.NewTextHandler(cmd.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return a.run(ctx)
		},
	}
}

// An audition is one run of verify-audit.
type audition struct {
	database, passwordFile string
	unkeyed, json          bool

	log    *slog.Logger
	stdin  *os.File
	stdout io.Writer
}

func (a audition) run(ctx context.Context) error {
	harden.Process(harden.Options{})
	report, err := a.look(ctx)
	if err != nil {
		return &exitError{exitCannotLook, err}
	}
	if err := a.print(report); err != nil {
		return &exitError{exitCannotLook, err}
	}
	if report.Broken != nil {
		return &exitError{exitBroken, fmt.Errorf("the audit trail is BROKEN at %s", report.Broken)}
	}
	return nil
}

// look replays the trail. The file is opened for reading only and left as it
// is.
func (a audition) look(ctx context.Context) (audit.Report, error) {
	path, err := store.ParseURL(a.database)
	if err != nil {
		return audit.Report{}, err
	}
	db, err := store.Open(store.Options{Path: path, ReadOnly: true, Log: a.log})
	if err != nil {
		return audit.Report{}, explainOpen(err)
	}
	defer db.Close()
	v := vault.New(vault.Config{DB: db, Log: a.log})
	if a.unkeyed {
		return v.VerifyAuditUnkeyed(ctx)
	}
	password, err := a.password(ctx)
	if err != nil {
		return audit.Report{}, fmt.Errorf("reading operator password: %w", err)
	}
	defer password.Wipe()
	return v.VerifyAuditWith(ctx, password)
}

// explainOpen says what to do about a file that cannot be looked at.
func explainOpen(err error) error {
	if _, ok := errors.AsType[*store.InUseError](err); ok {
		return fmt.Errorf("opening vault: %w; stop that server, or verify a copy made while it was stopped", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening vault: %w; give the path that the server logged when it opened the file: --db FILE", err)
	}
	return fmt.Errorf("opening vault: %w", err)
}

func (a audition) password(ctx context.Context) (opaque.Bytes, error) {
	in := secretInput{"CORTEX_KEK_PASSWORD", a.passwordFile, "kek-password"}
	password, _, err := in.read()
	if err == nil && password.IsZero() {
		password, err = askPassword(ctx, a.stdin, false)
	}
	return password, err
}

// A verdict is a report as JSON.
type verdict struct {
	Intact bool     `json:"intact"`
	Keyed  bool     `json:"keyed"`
	Rows   uint64   `json:"rows"`
	First  uint64   `json:"first"`
	Last   uint64   `json:"last"`
	Broken *badness `json:"broken"`
}

type badness struct {
	Seq uint64 `json:"seq"`
	Why string `json:"why"`
}

func (a audition) print(r audit.Report) error {
	if a.json {
		v := verdict{Intact: r.Broken == nil, Keyed: r.Keyed, Rows: r.Rows, First: r.First, Last: r.Last}
		if r.Broken != nil {
			v.Broken = &badness{r.Broken.Seq, r.Broken.Why}
		}
		return json.NewEncoder(a.stdout).Encode(v)
	}
	if r.Broken != nil {
		return nil // the error says it
	}
	checked := "hashes and MACs"
	if !r.Keyed {
		checked = "hashes only"
	}
	_, err := fmt.Fprintf(a.stdout, "intact: %d records, %d to %d (%s)\n", r.Rows, r.First, r.Last, checked)
	return err
}
