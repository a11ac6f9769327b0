package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// adminToken takes the admin token that was given, or makes one and shows it: on
// the first start, or because it was asked to.
func (p program) adminToken(ctx context.Context, v *vault.Vault, g *given) error {
	show := func(token opaque.Bytes) error { return showAdminToken(p.stdout, token) }
	switch {
	case !g.admin.IsZero():
		replaced, err := v.UseAdminToken(ctx, g.admin.Bytes)
		if err != nil {
			return fmt.Errorf("admin token from %s: %w", g.admin.from, err)
		}
		p.log.Info("the admin token was given", "from", g.admin.from, "replaced", replaced)
		return nil
	case g.resetAdmin:
		return v.ResetAdminToken(ctx, show)
	}
	created, err := v.EnsureAdminToken(ctx, show)
	if err == nil && !created {
		p.log.Info("an admin token exists")
	}
	return err
}

// errUnseen: the one time that a token is shown, nobody would see it.
var errUnseen = errors.New("standard output is closed, or leads nowhere: start the server where it can be read, or give it a token (ADMIN_TOKEN_FILE)")

// showAdminToken prints a banner that is hard to overlook. A reader that has gone
// away is an error, and not the end of the process.
func showAdminToken(w io.Writer, token opaque.Bytes) error {
	if leadsNowhere(w) {
		return errUnseen
	}
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	defer signal.Stop(broken)
	line := strings.Repeat("=", 72)
	banner := []byte("\n" + line + "\n  ADMIN TOKEN. It is shown this once and cannot be recovered.\n\n      ")
	banner = append(banner, token.Reveal()...)
	banner = append(banner, ("\n\n  Send it in the header X-Admin-Token. To replace it, restart the server\n" +
		"  with --reset-admin-token.\n" + line + "\n\n")...)
	defer clear(banner)
	_, err := w.Write(banner)
	return err
}

// leadsNowhere reports whether w is the null device, which is also what Go makes of
// a standard output that is closed.
func leadsNowhere(w io.Writer) bool {
	f, ok := w.(interface{ Stat() (os.FileInfo, error) })
	if !ok {
		return false
	}
	device, deviceOK := deviceOf(f.Stat())
	null, nullOK := deviceOf(os.Stat(os.DevNull))
	return deviceOK && nullOK && device == null
}

// deviceOf returns the number of a device, from what Stat said of it.
func deviceOf(info os.FileInfo, err error) (number uint64, ok bool) {
	if err != nil || info.Mode()&os.ModeDevice == 0 {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return uint64(stat.Rdev), ok
}
