package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/vault/dotenv"
	"github.com/cortex-auth/cortex/vault/secretfile"
)

// wantedNames reads the names from the named file, or from the usual ones in
// this directory or in one of others, and reports whether there is one.
func wantedNames(ctx context.Context, named string, others ...string) (entries []dotenv.Entry, found bool, err error) {
	if named != "" {
		entries, err = namesIn(ctx, named, secretfile.ReadFile)
		return entries, true, err
	}
	for _, dir := range append([]string{""}, others...) {
		for _, usual := range []string{".env", ".env.example"} {
			entries, err = namesIn(ctx, filepath.Join(dir, usual), readUsual)
			if !errors.Is(err, fs.ErrNotExist) {
				return entries, true, err
			}
		}
	}
	return nil, false, nil
}

func namesIn(ctx context.Context, path string, read func(context.Context, string, int64) ([]byte, error)) ([]dotenv.Entry, error) {
	text, err := read(ctx, path, dotenv.MaxSize)
	defer clear(text) // it may hold values
	if err != nil {
		return nil, fmt.Errorf("reading the names: %w", err)
	}
	entries, err := dotenv.Read(text)
	if err != nil {
		return nil, client.WithHint(fmt.Errorf("reading the names in %s: %w; nothing was sent", path, err),
			"name another file: --env-file FILE")
	}
	return entries, nil
}

// readUsual reads a file that whoever wrote the directory named. It must be what
// its name says: a pipe could be this process's own input, and a link lead to
// something else that is nobody's business.
func readUsual(ctx context.Context, path string, most int64) ([]byte, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, client.WithHint(err, "name another file: --env-file FILE") // EvalSymlinks says less of links in a circle
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, err
	}
	if base := filepath.Base(target); !strings.HasPrefix(base, ".env") && !strings.HasSuffix(base, ".env") {
		return nil, client.WithHint(fmt.Errorf("%s is a link to something else", path), "if that is meant, name it: --env-file "+path)
	}
	// It waits for nobody.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, client.WithHint(fmt.Errorf("%s is not a plain file", path), "name another file: --env-file FILE")
	}
	return io.ReadAll(io.LimitReader(f, most+1))
}
