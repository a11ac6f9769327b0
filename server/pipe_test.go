package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A start that waits for whoever may write into a pipe can be stopped.
func TestPipeWithoutWriter(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	stdin, silent, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	defer silent.Close()
	cert, _ := ecPair(t, dir, 1)
	for name, start := range map[string]func(context.Context) error{
		"configuration": func(ctx context.Context) error {
			_, err := settings{configFile: pipe}.complete(ctx, func(string) bool { return false })
			return err
		},
		"certificate": func(ctx context.Context) error {
			_, err := settings{certFile: pipe, keyFile: pipe}.certificate(ctx)
			return err
		},
		"key": func(ctx context.Context) error {
			_, err := settings{certFile: cert, keyFile: pipe}.certificate(ctx)
			return err
		},
		"password": func(ctx context.Context) error {
			_, err := plan{password: secretInput{"CORTEX_TEST_SECRET", pipe, ""}}.given(ctx, slog.New(slog.DiscardHandler))
			return err
		},
		"backup": func(ctx context.Context) error {
			_, _, err := restoring{from: pipe}.unpack(ctx, filepath.Join(dir, "vault.db"))
			return err
		},
		"export": func(ctx context.Context) error {
			_, err := audition{export: pipe}.look(ctx, nil)
			return err
		},
		"head": func(ctx context.Context) error {
			_, err := audition{headFile: pipe}.since(ctx)
			return err
		},
		"verifier key": func(ctx context.Context) error {
			_, err := verifierKey(ctx, pipe)
			return err
		},
		"standard input": func(ctx context.Context) error {
			_, err := askPassword(ctx, stdin, false)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			failed := make(chan error)
			go func() { failed <- start(ctx) }()
			cancel()
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}
