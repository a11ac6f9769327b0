package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cortex-auth/cortex/store"
)

// check says what is wrong with the settings and with what they name, all of it
// at once, and changes nothing. What is merely worth knowing goes to stdout.
func (p program) check(ctx context.Context, s settings) error {
	plan, err := s.plan(ctx)
	err = errors.Join(err, p.checkCertificate(plan), p.checkDatabase(plan), p.checkSecrets(ctx, plan))
	for _, setting := range plan.insecure {
		p.say("insecure setting: %s", setting)
	}
	if err == nil {
		p.say("the settings are good")
	}
	return err
}

func (p program) say(format string, args ...any) {
	fmt.Fprintf(p.stdout, format+"\n", args...)
}

func (p program) checkCertificate(plan plan) error {
	if plan.cert == nil {
		return nil
	}
	if plan.cert.own {
		p.say("certificate: made by this server, once the vault is unsealed")
		return nil
	}
	end := plan.cert.expires()
	if left := time.Until(end); left <= 0 {
		return fmt.Errorf("the certificate %s expired at %s", plan.cert.certFile, end.Format(time.RFC3339))
	}
	p.say("certificate %s: good until %s", plan.cert.certFile, end.Format(time.RFC3339))
	return nil
}

// checkDatabase looks at the vault's file without locking anybody out.
func (p program) checkDatabase(plan plan) error {
	if plan.path == "" {
		return nil // the URL was refused already
	}
	about, err := store.Inspect(plan.path)
	if busy, ok := errors.AsType[*store.InUseError](err); ok {
		p.say("vault file: %v; it was not looked into", busy)
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return p.checkNew(plan.path)
	}
	if err != nil {
		return fmt.Errorf("vault file: %w", err)
	}
	p.say("vault file: %s, %d bytes, schema %d", about.Path, about.Size, about.Schema)
	if about.Schema < about.Newest {
		p.say("vault file: the first start makes it schema %d, which older programs refuse", about.Newest)
	}
	return nil
}

// checkNew looks at where a new vault would be made.
func (p program) checkNew(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return fmt.Errorf("vault file: %w", err)
	}
	info, err := os.Stat(filepath.Dir(abs))
	switch {
	case err != nil:
		return fmt.Errorf("directory of the vault file: %w", err)
	case !info.IsDir():
		return fmt.Errorf("directory of the vault file: %s is none", filepath.Dir(abs))
	}
	p.say("vault file: there is no %s: the first start makes a NEW vault", abs)
	return nil
}

// checkSecrets reads what the server would be given.
func (p program) checkSecrets(ctx context.Context, plan plan) error {
	g, err := plan.given(ctx, p.log)
	if err != nil {
		return err
	}
	defer g.wipe()
	switch {
	case plan.recovery.on:
	case g.password.IsZero():
		p.say("operator password: none is given; the server will ask at the terminal or on standard input")
	default:
		p.say("operator password: from %s", g.password.from)
	}
	return nil
}
