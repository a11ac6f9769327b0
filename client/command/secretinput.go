package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/vault/opaque"
)

func adminTokenFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "admin-token-file", Usage: "`FILE` with the admin token", Sources: cli.EnvVars("ADMIN_TOKEN_FILE"), Destination: dst, TakesFile: true}
}

// adminToken returns the token of the environment or of a file, if there is
// any.
func adminToken(file string) (opaque.Bytes, error) {
	if text, ok := os.LookupEnv("ADMIN_TOKEN"); ok {
		return opaque.New([]byte(text)), nil
	}
	if file == "" {
		return opaque.Bytes{}, nil
	}
	text, err := readSecret(file)
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("reading the admin token: %w", err)
	}
	return opaque.New(bytes.TrimRight(text, "\r\n ")), nil
}

// readSecret reads a file that holds one secret.
func readSecret(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, 4096))
}

// secretFrom returns a secret from a file, or from the person at the terminal.
// White space around it does not count.
func secretFrom(ctx context.Context, file, label string) (opaque.Bytes, error) {
	if file == "" {
		s, err := prompt.Secret(ctx, label)
		if errors.Is(err, prompt.ErrNoTerminal) {
			err = client.WithHint(err, "name a file for it; see --help")
		}
		return s, err
	}
	text, err := readSecret(file)
	if err != nil {
		return opaque.Bytes{}, err
	}
	return opaque.New(bytes.TrimSpace(text)), nil
}

// newPassword returns a new password from a file, or from the person at the
// terminal, who types it twice.
func newPassword(ctx context.Context, file string) (opaque.Bytes, error) {
	first, err := secretFrom(ctx, file, "New operator password: ")
	if err != nil || file != "" {
		return first, err
	}
	again, err := secretFrom(ctx, "", "The same password again: ")
	if err != nil {
		return opaque.Bytes{}, err
	}
	defer again.Wipe()
	if !bytes.Equal(first.Reveal(), again.Reveal()) {
		first.Wipe()
		return opaque.Bytes{}, errors.New("the two passwords differ; nothing was changed")
	}
	return first, nil
}
