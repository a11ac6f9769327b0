package store

import (
	"errors"
	"fmt"
	"strings"
)

// DefaultPath is where the database lies if nothing else is said, relative to
// the working directory.
const DefaultPath = "cortex-auth.db"

// errSQLite tells what to do with a vault of another kind.
var errSQLite = errors.New("cannot read a SQLite file: " +
	"create a new vault and enter the secrets again, or script them through POST /admin/secrets")

// ParseURL returns the path that a database URL names: "bolt://PATH", or a bare
// path, is that path, and "" is [DefaultPath]. In bolt://vault.db the path is
// relative, in bolt:///var/lib/vault.db absolute; nothing in it is decoded. A
// sqlite URL is answered with what to do instead, any other scheme refused.
func ParseURL(s string) (path string, err error) {
	if s == "" {
		return DefaultPath, nil
	}
	if strings.IndexByte(s, 0) >= 0 {
		return "", errors.New("database URL contains NUL")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		if len(s) >= len("sqlite:") && strings.EqualFold(s[:len("sqlite:")], "sqlite:") {
			return "", errSQLite
		}
		return s, nil
	}
	switch strings.ToLower(scheme) {
	case "bolt":
		return boltPath(rest)
	case "sqlite", "sqlite3":
		return "", errSQLite
	}
	return "", fmt.Errorf("database URL: unknown scheme %q: want bolt://PATH", scheme)
}

// boltPath checks what follows bolt://.
func boltPath(rest string) (string, error) {
	if rest == "" {
		return "", errors.New("database URL: bolt:// without a path")
	}
	if strings.ContainsAny(rest, "?#") {
		return "", errors.New("database URL: bolt:// takes no options ('?', '#'); give such a path without bolt://")
	}
	return rest, nil
}
