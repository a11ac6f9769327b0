package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// A secondPerson confirms what an operator does while no server runs.
type secondPerson struct {
	name string // of a super account; empty for nobody
	file string // with its password, which is asked for otherwise
}

// errOnePerson: it takes two.
var errOnePerson = errors.New("restoring this vault takes two persons: name a super account that is in the backup with --confirm-as, and have its holder type the password")

func (s secondPerson) password(ctx context.Context, stdin *os.File, log *slog.Logger) (opaque.Bytes, error) {
	if s.file != "" {
		return secretfile.Read(ctx, s.file, warnExposed(log))
	}
	if term.IsTerminal(int(stdin.Fd())) {
		return promptOnce(ctx, stdin, fmt.Sprintf("cortex: %s confirms the restoring. Password of that account: ", s.name))
	}
	return awaitPasswordLine(ctx, stdin)
}

// password returns the operator's, and none if it is not given. With a second
// person it has to be.
func (r restoring) password(ctx context.Context) (opaque.Bytes, error) {
	if r.twoPerson && r.second.name == "" {
		return opaque.Bytes{}, errOnePerson
	}
	password, err := secretInput{"CORTEX_KEK_PASSWORD", r.passwordFile, "kek-password"}.find(ctx, r.log)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("reading operator password: %w", err)
	}
	if password.IsZero() && r.second.name != "" {
		return askPassword(ctx, r.stdin, false)
	}
	return password.Bytes, nil
}

// mark marks the vault as restored, by one person or by two.
func (r restoring) mark(ctx context.Context, v *vault.Vault, made time.Time, operator opaque.Bytes) error {
	two, err := v.TwoPersons(ctx)
	switch {
	case err != nil:
		return err
	case r.second.name == "" && two:
		return errOnePerson
	case r.second.name == "":
		return v.MarkRestored(ctx, made)
	}
	password, err := r.second.password(ctx, r.stdin, r.log)
	if err != nil {
		return fmt.Errorf("reading the password of %s: %w", r.second.name, err)
	}
	defer password.Wipe()
	err = v.MarkConfirmed(ctx, made, operator, r.second.name, password)
	if errors.Is(err, vault.ErrUnauthorized) {
		return fmt.Errorf("%s is no super account with that password in this backup, or somebody else chose the password", r.second.name)
	}
	return err
}
