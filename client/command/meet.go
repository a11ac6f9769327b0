package command

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A meeting is a server that somebody logs in at, and what it will be known by.
type meeting struct {
	*client.Client
	pin *pin.Pin // nil for nothing but its certificate
}

// meet asks a server who it is. One that is not known, and whose certificate this
// machine does not trust, is shown to the person.
func meet(ctx context.Context, cmd *cli.Command, url, pinned string) (meeting, error) {
	named, err := parsePin(pinned)
	if err != nil {
		return meeting{}, err
	}
	if named == nil {
		if named, err = known(url); err != nil {
			say(cmd, "cortex: warning: %v: beginning anew", err)
		}
	}
	m, err := meetAs(ctx, url, named)
	if shown, why, ok := client.Untrusted(err); ok {
		if asked := confirmKey(ctx, cmd, url, shown, why); errors.Is(asked, prompt.ErrNoTerminal) {
			return meeting{}, err
		} else if asked != nil {
			return meeting{}, asked
		}
		m, err = meetAs(ctx, url, &pin.Pin{Key: shown})
	}
	if err != nil {
		return meeting{}, err
	}
	m.introduce(cmd)
	return m, nil
}

// meetAs meets a server that is known by a pin, or by its certificate.
func meetAs(ctx context.Context, url string, as *pin.Pin) (meeting, error) {
	c, err := client.New(client.Config{URL: url, Pin: as, Moved: moved})
	if err != nil {
		return meeting{}, err
	}
	met, err := c.Meet(ctx)
	switch {
	case err != nil:
		return meeting{}, err
	case met.Vault != nil && as != nil && as.Vault != nil && !met.Vault.Equal(as.Vault):
		return meeting{}, client.WithHint(
			fmt.Errorf("another vault is behind the known key: %s; the known one is %s", proof.Fingerprint(met.Vault), proof.Fingerprint(as.Vault)),
			"if that is meant, forget the login, and log in again: cortex daemon logout")
	case met.Vault != nil:
		return meeting{c, &met}, nil
	}
	return meeting{c, c.Pin()}, nil
}

// confirmKey has the person compare the key of a server.
func confirmKey(ctx context.Context, cmd *cli.Command, url string, shown proof.TLSKey, why error) error {
	say(cmd, "cortex: this machine does not trust the certificate of %s: %v", url, why)
	say(cmd, "cortex: its key is %s; the server logs its own at its start", shown)
	answer, err := prompt.Line(ctx, "Are they the same? Type yes, or anything else to stop")
	if err == nil && answer != "yes" {
		err = errors.New("stopped: the server's key was not confirmed")
	}
	return err
}

// introduce shows what the server is known by.
func (m meeting) introduce(cmd *cli.Command) {
	if m.pin == nil && strings.HasPrefix(m.URL(), "https:") {
		say(cmd, "the server is known by its certificate alone: it names no key of its own")
	}
	if key := m.serverKey(); key != "" {
		say(cmd, "the server's key: %s", key)
	}
	if key := m.vaultKey(); key != "" {
		say(cmd, "the vault's key: %s", key)
	}
}

// serverKey returns the fingerprint of the server's key, "" if that is not known.
func (m meeting) serverKey() string {
	if m.pin == nil {
		return ""
	}
	return m.pin.Key.String()
}

// vaultKey returns the fingerprint of the vault's key, "" if that is not known.
func (m meeting) vaultKey() string {
	if m.pin == nil || m.pin.Vault == nil {
		return ""
	}
	return proof.Fingerprint(m.pin.Vault)
}
