package command

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

func pinFlag(dst *string) cli.Flag {
	return &cli.StringFlag{
		Name: "pin", Usage: "know the server by its key, the `FINGERPRINT` that it logs at its start", DefaultText: "what this host's login knows",
		Sources: cli.EnvVars("CORTEX_PIN"), Destination: dst,
		Validator: func(s string) error {
			_, err := parsePin(s)
			return err
		},
	}
}

// parsePin reads a fingerprint as people write it, with SHA256 in any case.
func parsePin(s string) (*pin.Pin, error) {
	if s == "" {
		return nil, nil
	}
	if name, rest, ok := strings.Cut(s, ":"); ok {
		s = strings.ToUpper(name) + ":" + rest
	}
	key, err := proof.ParseTLSKey(s)
	return &pin.Pin{Key: key}, err
}

// connect returns a client of the server at url. It knows it by the pin, or else by
// what this host's login knows of it, or else by its certificate.
func connect(url, pinned string, admin opaque.Bytes) (*client.Client, error) {
	cfg := client.Config{URL: url, AdminToken: admin}
	var err error
	if cfg.Pin, err = parsePin(pinned); err != nil {
		return nil, err
	}
	if cfg.Pin == nil {
		if cfg.Pin, err = known(url); err != nil {
			return nil, err
		}
		cfg.Moved = moved
	}
	return client.New(cfg)
}

// known returns what this host's login knows of a server, nil for nothing. What
// somebody wrote into the session file does not count: the agent's key sealed it.
func known(url string) (*pin.Pin, error) {
	dir := identity.Dir()
	login, err := identity.LoadSession(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && (login.Pin == nil || !client.SameServer(login.ServerURL, url)) {
		return nil, nil
	}
	if err == nil {
		login, err = openLogin(dir, login.AgentID)
	}
	if err != nil {
		return nil, client.WithHint(fmt.Errorf("reading what the login knows of the server: %w", err),
			"log in again, or name the server's key (--pin), or forget the login: cortex daemon logout")
	}
	return login.Pin, nil
}

// openLogin reads the login in dir, sealed by its agent's key.
func openLogin(dir, agentID string) (identity.Session, error) {
	key, err := identity.Load(identity.Path(dir, agentID), agentID)
	if err != nil {
		return identity.Session{}, err
	}
	defer key.Destroy()
	login, token, err := identity.OpenSession(dir, key)
	token.Wipe()
	return login, err
}

// moved keeps what a server is known by from now on. Where that fails it is found
// out again the next time.
func moved(next pin.Pin) {
	dir := identity.Dir()
	login, err := identity.LoadSession(dir)
	if err != nil {
		return
	}
	key, err := identity.Load(identity.Path(dir, login.AgentID), login.AgentID)
	if err != nil {
		return
	}
	defer key.Destroy()
	_ = identity.MovePin(dir, key, next)
}
