package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cortex-auth/cortex/vault"
)

// given are the secrets that the server gets when it starts. They are read once,
// before anything is made or asked.
type given struct {
	password, admin, metrics found
	resetAdmin               bool // make a new admin token
}

// given reads the secrets, and reports everything that is wrong with them at once.
func (p plan) given(ctx context.Context, log *slog.Logger) (*given, error) {
	g := given{resetAdmin: p.resetToken}
	var errs [4]error
	if !p.recovery.on { // which is for those who have no password
		g.password, errs[0] = readGiven(ctx, "operator password", p.password, 1, log)
	}
	g.admin, errs[1] = readGiven(ctx, "admin token", p.adminToken, vault.AdminTokenMin, log)
	g.metrics, errs[2] = readGiven(ctx, "metrics token", p.metrics, minMetricsToken, log)
	if g.resetAdmin && !g.admin.IsZero() {
		errs[3] = errors.New("--reset-admin-token makes a new admin token, but one was given as well, in " + g.admin.from)
	}
	if err := errors.Join(errs[:]...); err != nil {
		g.wipe()
		return nil, err
	}
	return &g, nil
}

// readGiven reads a secret that has at least so many bytes, if it is given.
func readGiven(ctx context.Context, name string, in secretInput, least int, log *slog.Logger) (found, error) {
	f, err := in.find(ctx, log)
	if err == nil && f.from != "" && f.Len() < least {
		f.Wipe()
		err = fmt.Errorf("the one from %s must have at least %d bytes", f.from, least)
	}
	if err != nil {
		return found{}, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

// forgetAdmin leaves the admin token to the vault.
func (g *given) forgetAdmin() {
	g.admin.Wipe()
	g.admin, g.resetAdmin = found{}, false
}

func (g *given) wipe() {
	g.password.Wipe()
	g.admin.Wipe()
	g.metrics.Wipe()
}
