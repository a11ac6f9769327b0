package server

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// since returns the head that the trail must have; nil if none is asked for.
func (a audition) since(ctx context.Context) (*vault.Since, error) {
	if a.headFile == "" {
		if a.verifierKey != "" {
			return nil, errors.New("--verifier-key is for a head: give --since-head FILE too")
		}
		return nil, nil
	}
	text, err := secretfile.ReadFile(ctx, a.headFile, note.MaxSize)
	if err != nil {
		return nil, fmt.Errorf("reading the head: %w", err)
	}
	n, err := note.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.headFile, err)
	}
	s := &vault.Since{Note: n}
	if a.verifierKey == "" {
		return s, nil
	}
	key, err := verifierKey(ctx, a.verifierKey)
	if err != nil {
		return nil, err
	}
	s.Key = &key
	return s, n.Verify(key)
}

// verifierKey returns the key that a flag names, itself or a file with it.
func verifierKey(ctx context.Context, flag string) (note.Key, error) {
	if strings.Count(flag, "+") > 1 {
		return note.ParseKey(flag)
	}
	text, err := secretfile.ReadFile(ctx, flag, note.MaxSize)
	if err != nil {
		return note.Key{}, fmt.Errorf("reading the verifier key: %w", err)
	}
	return note.ParseKey(string(bytes.TrimSpace(text)))
}

// errWhere: what is to be replayed is not said, or twice.
var errWhere = errors.New("give one of --db FILE, --url URL and --export FILE")

// look replays the trail where it is.
func (a audition) look(ctx context.Context, since *vault.Since) (audit.Report, error) {
	given := slices.DeleteFunc([]string{a.database, a.url, a.export}, func(s string) bool { return s == "" })
	switch {
	case len(given) > 1:
		return audit.Report{}, errWhere
	case a.export != "":
		return readExport(ctx, a.export, since)
	case a.url == "":
		return a.lookInto(ctx, cmp.Or(a.database, os.Getenv("DATABASE_URL")), since)
	case since == nil:
		return a.ask(ctx, a.cmd, a.url, nil)
	}
	return a.ask(ctx, a.cmd, a.url, &since.Note)
}

// readExport replays what an export has of the trail.
func readExport(ctx context.Context, path string, since *vault.Since) (audit.Report, error) {
	f, err := secretfile.Open(ctx, path)
	if err != nil {
		return audit.Report{}, err
	}
	defer f.Close()
	x, err := audit.NewExportReader(f)
	if err != nil {
		return audit.Report{}, fmt.Errorf("%s: %w", path, err)
	}
	pin, err := since.Pin(x.Header.VaultID, nil)
	if err != nil {
		return audit.Report{}, err
	}
	return x.Verify(pin)
}

// lookInto replays the trail of a file, which is opened for reading only and left
// as it is.
func (a audition) lookInto(ctx context.Context, database string, since *vault.Since) (audit.Report, error) {
	if database == "" {
		return audit.Report{}, errWhere
	}
	path, err := store.ParseURL(database)
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
		return v.VerifyAuditUnkeyed(ctx, since)
	}
	password, err := a.password(ctx)
	if err != nil {
		return audit.Report{}, fmt.Errorf("reading operator password: %w", err)
	}
	defer password.Wipe()
	return v.VerifyAuditWith(ctx, password, since)
}

// explainOpen says what to do about a file that cannot be looked at.
func explainOpen(err error) error {
	if _, ok := errors.AsType[*store.InUseError](err); ok {
		return fmt.Errorf("opening vault: %w; stop that server, ask it with --url, or verify a copy made while it was stopped", err)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("opening vault: %w; give the path that the server logged when it opened the file: --db FILE", err)
	}
	return fmt.Errorf("opening vault: %w", err)
}

func (a audition) password(ctx context.Context) (opaque.Bytes, error) {
	in := secretInput{"CORTEX_KEK_PASSWORD", a.passwordFile, "kek-password"}
	given, err := in.find(ctx, a.log)
	if err != nil || !given.IsZero() {
		return given.Bytes, err
	}
	return askPassword(ctx, a.stdin, false)
}
