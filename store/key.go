package store

import (
	"fmt"
	"strings"
)

// maxKey is the longest key, in bytes. The engine would take 32 KiB; an index
// entry holds two keys.
const maxKey = 8 << 10

// A Key is the key of a row within its bucket, or of an index entry. Rows are
// ordered by the bytes of their keys. The empty key is no row's; as a prefix it
// means all rows.
type Key string

// Join makes a key of parts: each but the last is followed by a NUL byte, so
// that different lists of as many parts make different keys, in the order of
// their parts. A part that contains NUL is a bug of the caller, and panics.
func Join(parts ...string) Key {
	for _, p := range parts {
		if strings.IndexByte(p, 0) >= 0 {
			panic(fmt.Sprintf("store: key part %q contains NUL", p))
		}
	}
	return Key(strings.Join(parts, "\x00"))
}

// within reports whether key is prefix, or prefix followed by more parts.
func within(key []byte, prefix Key) bool {
	n := len(prefix)
	if n == 0 {
		return true
	}
	return len(key) >= n && string(key[:n]) == string(prefix) && (len(key) == n || key[n] == 0)
}

// checkKey refuses keys that cannot be stored.
func checkKey(key Key) error {
	switch {
	case key == "":
		return fmt.Errorf("store: empty key")
	case len(key) > maxKey:
		return fmt.Errorf("%w: key of %d bytes", ErrTooLarge, len(key))
	}
	return nil
}
