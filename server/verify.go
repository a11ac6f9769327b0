package server

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
	"github.com/cortex-auth/cortex/vault/harden"
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

// An AskServer has the server at url verify its own audit trail.
type AskServer = func(ctx context.Context, cmd *cli.Command, url string, since *note.Note) (audit.Report, error)

// VerifyAuditCommand returns the verb that replays the audit trail of a vault
// file or an export, or has a running server do so, by ask, which has flags of its
// own. Its error has the exit status: 1 for a broken trail, 2 where it could not
// look.
func VerifyAuditCommand(remote []cli.Flag, ask AskServer) *cli.Command {
	a := audition{ask: ask}
	return &cli.Command{
		Name:  "verify-audit",
		Usage: "replay the audit trail of a vault file, a running server, or an export",
		Description: `Checks every record against the one before it, its MAC, and the recorded end of the
trail. Exits with 0 if it is intact, 1 if it is broken, and 2 if it could not look.

With --db it reads the file itself, which no server must be running on. The MACs need the
operator password, which is asked for as "serve" does. With --url it asks the server, which
takes the admin token, and trust in that server. With --export it reads an export of
the trail, which has hashes to check, and neither MACs nor a recorded end.

An older copy of the file is intact too. --since-head tells it from the one that you have
seen: it takes a note that "cortex audit head" printed then, and looks for its record. A
backup that was restored is such a copy, for notes that are newer than the backup.

Examples:
   cortex verify-audit --db vault.db
   cortex verify-audit --db vault.db --since-head head-2027-01-31.note --verifier-key vault.key
   cortex verify-audit --url https://vault.example.com
   cortex verify-audit --export trail.jsonl --since-head head-2027-01-31.note --verifier-key vault.key`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "db", Usage: "vault `FILE`, or bolt://FILE; else that of DATABASE_URL", Destination: &a.database, TakesFile: true},
			&cli.StringFlag{Name: "url", Usage: "ask the server at `URL`", Destination: &a.url},
			&cli.StringFlag{Name: "export", Usage: "read the export in `FILE`", Destination: &a.export, TakesFile: true},
			&cli.StringFlag{Name: "since-head", Usage: "`FILE` with a signed head, whose record must still be there", Destination: &a.headFile, TakesFile: true},
			&cli.StringFlag{Name: "verifier-key", Usage: "`KEY` that signed the head, or a file with it; else the vault's own", Destination: &a.verifierKey, TakesFile: true},
			&cli.BoolFlag{Name: "unkeyed", Usage: "check hashes only, without the password: shows accidents, but not a forger", Destination: &a.unkeyed},
			&cli.StringFlag{Name: "kek-password-file", Usage: "`FILE` with the operator password", Sources: cli.EnvVars("CORTEX_KEK_PASSWORD_FILE"), Destination: &a.passwordFile, TakesFile: true},
			&cli.BoolFlag{Name: "json", Usage: "print JSON on stdout", Destination: &a.json},
		}, remote...),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			a.cmd, a.stdin, a.stdout = cmd, os.Stdin, cmd.Root().Writer
			a.log = slog.New(slog.NewTextHandler(cmd.Root().ErrWriter, &slog.HandlerOptions{Level: slog.LevelWarn}))
			return a.run(ctx)
		},
	}
}

// An audition is one run of verify-audit.
type audition struct {
	database, url, export string
	passwordFile          string
	headFile, verifierKey string
	unkeyed, json         bool

	cmd    *cli.Command
	ask    AskServer
	log    *slog.Logger
	stdin  *os.File
	stdout io.Writer
}

func (a audition) run(ctx context.Context) error {
	if err := harden.Refuse(os.Environ()); err != nil {
		return &exitError{exitCannotLook, err}
	}
	harden.Process(harden.Options{}).Log(a.log)
	since, err := a.since(ctx)
	if err != nil {
		return &exitError{exitCannotLook, err}
	}
	report, err := a.look(ctx, since)
	if err == nil {
		err = a.print(report, since)
	}
	if err != nil {
		return &exitError{exitCannotLook, err}
	}
	if report.Broken != nil {
		return &exitError{exitBroken, fmt.Errorf("the audit trail is BROKEN at %s", report.Broken)}
	}
	return nil
}

func (a audition) print(r audit.Report, since *vault.Since) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(finding{wireReport(r), r.Open})
	}
	if r.Broken != nil {
		return nil // the error says it
	}
	_, err := fmt.Fprintf(a.stdout, "%s: %s (%s)\n", verdict(r), span(r), extent(r, since))
	return err
}

// span says which records there are.
func span(r audit.Report) string {
	if r.Rows == 0 {
		return fmt.Sprintf("no records after %d", r.Last)
	}
	return fmt.Sprintf("%d records, %d to %d", r.Rows, r.First, r.Last)
}

// A finding is a report as JSON. A server always knows where its trail ends; an
// export does not.
type finding struct {
	api.AuditReport
	Open bool `json:"open,omitempty"`
}

// verdict says no more than was looked at.
func verdict(r audit.Report) string {
	if r.Open {
		return "intact as far as it goes"
	}
	return "intact"
}

// extent says what was looked at, and what cannot be known.
func extent(r audit.Report, since *vault.Since) string {
	said := "hashes and MACs"
	if !r.Keyed {
		said = "hashes only"
	}
	if since != nil {
		said += fmt.Sprintf("; with record %d of the head of %s", since.Note.Seq, since.Note.Time.Format(time.RFC3339))
	}
	if r.Open && r.First > 1 {
		said += fmt.Sprintf("; what was before record %d is not in it", r.First)
	}
	if r.Open && (since == nil || since.Note.Seq < r.Last) {
		said += "; that nothing is missing at its end is not proven"
	}
	return said
}
