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
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

func adminTokenFlag(dst *string) cli.Flag {
	return &cli.StringFlag{Name: "admin-token-file", Usage: "`FILE` with the admin token", Sources: cli.EnvVars("ADMIN_TOKEN_FILE"), Destination: dst, TakesFile: true}
}

// adminToken returns the token of the environment or of a file, or else of the
// person at the terminal. Without one there is none.
func adminToken(ctx context.Context, file string) (token opaque.Bytes, err error) {
	if text, ok := os.LookupEnv("ADMIN_TOKEN"); ok {
		token, err = secretfile.Trim([]byte(text), "$ADMIN_TOKEN")
	} else if file != "" {
		token, err = readSecret(ctx, file)
	} else if token, err = prompt.Secret(ctx, "admin token"); errors.Is(err, prompt.ErrNoTerminal) {
		return opaque.Bytes{}, nil
	}
	if err != nil {
		return opaque.Bytes{}, fmt.Errorf("reading the admin token: %w", err)
	}
	return token, nil
}

// readSecret reads a file that holds one secret.
func readSecret(ctx context.Context, path string) (opaque.Bytes, error) {
	return secretfile.Read(ctx, path, func(path string) {
		fmt.Fprintf(os.Stderr, "cortex: warning: %s is open to others than its owner: chmod 600 %s\n", path, shellQuote(path))
	})
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
	return readSecret(ctx, file)
}

// newPassword returns a new password from a file, or from the person at the
// terminal, who types it twice.
func newPassword(ctx context.Context, file, what string) (opaque.Bytes, error) {
	first, err := secretFrom(ctx, file, "new "+what)
	if err != nil || file != "" {
		return first, err
	}
	again, err := secretFrom(ctx, "", "the same password again")
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

// maxValue is the longest value that a server keeps, in bytes.
const maxValue = 1 << 20

// readValue reads a file of values, or standard input if its name is "-".
func readValue(ctx context.Context, cmd *cli.Command, file string) (text []byte, err error) {
	if file == "-" {
		text, err = io.ReadAll(io.LimitReader(cmd.Root().Reader, maxValue+1))
	} else {
		text, err = secretfile.ReadFile(ctx, file, maxValue)
	}
	if err == nil && len(text) > maxValue {
		err = fmt.Errorf("%s is longer than %d bytes", file, maxValue)
	}
	if err != nil {
		clear(text)
		return nil, fmt.Errorf("reading values: %w", err)
	}
	return text, nil
}

// valueFrom returns a value from a file, or from the person at the terminal. A
// newline at the end of a single line is no part of it.
func valueFrom(ctx context.Context, cmd *cli.Command, file, label string) (api.Value, error) {
	if file == "" {
		typed, err := prompt.Secret(ctx, label)
		switch {
		case errors.Is(err, prompt.ErrNoTerminal):
			err = client.WithHint(err, "read it from a file, or from standard input: --value-file FILE, --value-file -")
		case err == nil && typed.Len() == 0:
			err = errors.New("nothing was typed; nothing was changed")
		}
		return api.NewValue(typed.Reveal()), err
	}
	text, err := readValue(ctx, cmd, file)
	if file == "-" {
		file = "standard input"
	}
	if line, ok := bytes.CutSuffix(text, []byte{'\n'}); ok && !bytes.ContainsRune(line, '\n') {
		text = bytes.TrimSuffix(line, []byte{'\r'})
	}
	if err == nil && len(text) == 0 {
		err = fmt.Errorf("%s is empty; nothing was changed", file)
	}
	return api.NewValue(text), err
}
