package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// adminToken takes the admin token from where it was given, or makes one and
// shows it: on the first start, or because it was asked to.
func (p program) adminToken(ctx context.Context, v *vault.Vault, plan plan) error {
	given, from, err := plan.adminToken.read()
	if err != nil {
		return fmt.Errorf("reading admin token: %w", err)
	}
	show := func(token opaque.Bytes) error { return showAdminToken(p.stdout, token) }
	switch {
	case !given.IsZero() && plan.resetToken:
		given.Wipe()
		return errors.New("--reset-admin-token makes a new admin token, but one was given as well, in " + from)
	case !given.IsZero():
		defer given.Wipe()
		replaced, err := v.UseAdminToken(ctx, given)
		if err != nil {
			return fmt.Errorf("admin token from %s: %w", from, err)
		}
		p.log.Info("the admin token was given", "from", from, "replaced", replaced)
		return nil
	case plan.resetToken:
		return v.ResetAdminToken(ctx, show)
	}
	created, err := v.EnsureAdminToken(ctx, show)
	if err == nil && !created {
		p.log.Info("an admin token exists")
	}
	return err
}

// showAdminToken prints a banner that is hard to overlook.
func showAdminToken(w io.Writer, token opaque.Bytes) error {
	line := strings.Repeat("=", 72)
	banner := []byte("\n" + line + "\n  ADMIN TOKEN. It is shown this once and cannot be recovered.\n\n      ")
	banner = append(banner, token.Reveal()...)
	banner = append(banner, ("\n\n  Send it in the header X-Admin-Token. To replace it, restart the server\n" +
		"  with --reset-admin-token.\n" + line + "\n\n")...)
	defer clear(banner)
	_, err := w.Write(banner)
	return err
}
