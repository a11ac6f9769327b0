// Package secretfile reads files that hold one secret: a password, a token, a
// recovery share. What else a person names, and may be a pipe, it reads as
// patiently.
package secretfile

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// Max is the length of the longest secret read, in bytes, with the white space
// around it.
const Max = 4096

// Read returns the secret in a file, as [Trim] leaves it. A file that others than
// its owner may read or write is told to warn, and read all the same: as long as
// somebody hears of it, that is better than a vault that does not start.
func Read(ctx context.Context, path string, warn func(path string)) (opaque.Bytes, error) {
	text, info, err := read(ctx, path, Max)
	if err != nil {
		return opaque.Bytes{}, err
	}
	if exposed(path, info) {
		warn(path)
	}
	return Trim(text, path)
}

// Trim cuts the white space around a secret off, and refuses one that is blank or
// too long. It keeps text. The error says where the secret is from.
func Trim(text []byte, from string) (opaque.Bytes, error) {
	secret := bytes.TrimSpace(text)
	switch {
	case len(text) > Max:
		clear(text)
		return opaque.Bytes{}, fmt.Errorf("%s is longer than %d bytes", from, Max)
	case len(secret) == 0:
		return opaque.Bytes{}, fmt.Errorf("%s is blank", from)
	}
	return opaque.New(secret), nil
}

// exposed reports whether others than its owner may read or write a file. The
// modes of pipes mean nothing, those of a passed descriptor are nobody's to change,
// and systemd keeps its credentials to the service by other means.
func exposed(path string, info fs.FileInfo) bool {
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o066 == 0 {
		return false
	}
	dir, credentials := filepath.Dir(path), os.Getenv("CREDENTIALS_DIRECTORY")
	passed := dir == "/dev/fd" || strings.HasPrefix(dir, "/proc/") || path == "/dev/stdin"
	return !passed && (credentials == "" || dir != filepath.Clean(credentials))
}
