package command

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-envparse"

	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// maxEnvFile bounds the file of --env-file.
const maxEnvFile = 1 << 20

// A devValue is a value that dev puts into its vault.
type devValue struct {
	name  string
	value opaque.Bytes
}

// path returns where the value is kept: where its name finds it.
func (d devValue) path() string { return strings.ToLower(d.name) }

// devValues reads the values of --env-file and --set, in the order of
// their paths. What --set says wins.
func devValues(ctx context.Context, envFile string, sets []string) ([]devValue, error) {
	byName := map[string]opaque.Bytes{}
	if envFile != "" {
		if err := readEnvFile(ctx, envFile, byName); err != nil {
			return nil, err
		}
	}
	for _, s := range sets {
		name, value, err := devSet(ctx, s)
		if err != nil {
			return nil, err
		}
		byName[name] = value
	}
	var all []devValue
	for name, value := range byName {
		if !validDevName(name) {
			return nil, fmt.Errorf("%q cannot name a variable here: use letters, digits, '_', '-' and '.'", name)
		}
		all = append(all, devValue{name, value})
	}
	slices.SortFunc(all, func(a, b devValue) int {
		return cmp.Or(strings.Compare(a.path(), b.path()), strings.Compare(a.name, b.name))
	})
	for i := 1; i < len(all); i++ {
		if a, b := all[i-1], all[i]; a.path() == b.path() {
			return nil, fmt.Errorf("%s and %s are the same variable here: give one of them", a.name, b.name)
		}
	}
	return all, nil
}

// validDevName accepts what is both a variable and the path of a secret.
func validDevName(name string) bool {
	return proof.ValidPath(name) && !strings.Contains(name, "/")
}

// devSet takes apart one --set: NAME=VALUE, or NAME alone for a value that
// the environment has, or else the person at the terminal.
func devSet(ctx context.Context, s string) (name string, value opaque.Bytes, err error) {
	name, text, ok := strings.Cut(s, "=")
	if ok {
		return name, opaque.New([]byte(text)), nil
	}
	if text, ok := os.LookupEnv(name); ok {
		return name, opaque.New([]byte(text)), nil
	}
	value, err = prompt.Secret(ctx, "value of "+name)
	if errors.Is(err, prompt.ErrNoTerminal) {
		err = fmt.Errorf("%s is not set in the environment, and there is no terminal to ask for it", name)
	}
	return name, value, err
}

// readEnvFile adds the values of a .env file.
func readEnvFile(ctx context.Context, path string, to map[string]opaque.Bytes) error {
	text, err := secretfile.ReadFile(ctx, path, maxEnvFile)
	if err != nil {
		return fmt.Errorf("reading values: %w", err)
	}
	defer clear(text)
	if len(text) > maxEnvFile {
		return fmt.Errorf("reading values: %s is larger than %d bytes", path, maxEnvFile)
	}
	values, err := envparse.Parse(strings.NewReader(string(text)))
	if err != nil {
		return parseProblem(path, err)
	}
	for name, value := range values {
		to[name] = opaque.New([]byte(value))
	}
	return nil
}

// parseProblem names the line, and keeps what stands in it to itself.
func parseProblem(path string, err error) error {
	if e, ok := errors.AsType[*envparse.ParseError](err); ok {
		return fmt.Errorf("%s, line %d: not of the form NAME=value", path, e.Line)
	}
	return fmt.Errorf("%s is not of the form NAME=value", path)
}
