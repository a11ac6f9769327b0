// Package opaque gives secrets a type that cannot be printed.
//
// A [Bytes] holds a password, a token or a secret value on its way through
// the program. Formatting it with any verb, logging it, or encoding it yields
// "[opaque]" or an error, also when it sits deep inside another value. The one
// way to the content is [Bytes.Reveal], so that searching for that word lists
// every door through which a secret leaves.
//
// The bytes lie on the ordinary heap. Keys that live as long as the process
// belong into package locked.
package opaque

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
)

// placeholder is what is shown in place of a secret.
const placeholder = "[opaque]"

// errBinary answers the encoders whose output nobody reads: a placeholder
// there would be taken for the secret and stored.
var errBinary = errors.New("opaque: refusing to encode a secret")

// Bytes is a secret. The zero value is empty.
//
// Copies of a Bytes share the same memory. Bytes is deliberately not
// comparable: use crypto/subtle on what Reveal returns.
type Bytes struct {
	// A func, because package fmt skips the methods of unexported fields and
	// prints whatever it can reach by reflection. It cannot look into a func.
	reveal func() []byte
}

// New returns b as a secret. It keeps b and does not copy it.
func New(b []byte) Bytes {
	return Bytes{func() []byte { return b }}
}

// Reveal returns the secret itself, not a copy; nil for the zero value.
func (b Bytes) Reveal() []byte {
	if b.reveal == nil {
		return nil
	}
	return b.reveal()
}

// Len returns the number of bytes in the secret.
func (b Bytes) Len() int { return len(b.Reveal()) }

// IsZero reports whether the secret has no bytes.
func (b Bytes) IsZero() bool { return b.Len() == 0 }

// Wipe overwrites the secret with zeros, for every copy of b. Its length stays.
func (b Bytes) Wipe() { clear(b.Reveal()) }

// Format writes "[opaque]", whatever the verb.
func (Bytes) Format(f fmt.State, _ rune) { io.WriteString(f, placeholder) }

// String returns "[opaque]".
func (Bytes) String() string { return placeholder }

// GoString returns "[opaque]".
func (Bytes) GoString() string { return placeholder }

// LogValue returns "[opaque]".
func (Bytes) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalText returns "[opaque]".
func (Bytes) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

// MarshalJSON returns the JSON string "[opaque]".
func (Bytes) MarshalJSON() ([]byte, error) { return []byte(`"` + placeholder + `"`), nil }

// MarshalBinary always fails.
func (Bytes) MarshalBinary() ([]byte, error) { return nil, errBinary }

// GobEncode always fails.
func (Bytes) GobEncode() ([]byte, error) { return nil, errBinary }
