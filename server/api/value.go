package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"unicode/utf16"
	"unicode/utf8"
)

// A Value is text that must not be printed: a secret, a token, a device code.
// It is a JSON string on the wire and "[opaque]" everywhere else. It never
// passes through a Go string. The zero Value means absent, which differs from
// the empty text; use the json option omitzero for optional members.
type Value struct{ reveal func() []byte }

// NewValue returns a Value that holds b, without a copy. b must be UTF-8.
func NewValue(b []byte) Value { return Value{func() []byte { return b }} }

// Reveal returns the bytes themselves, nil for the zero Value.
func (v Value) Reveal() []byte {
	if v.reveal == nil {
		return nil
	}
	return v.reveal()
}

// Len returns the number of bytes.
func (v Value) Len() int { return len(v.Reveal()) }

// IsZero reports whether v is absent. An empty text is not absent.
func (v Value) IsZero() bool { return v.reveal == nil }

// Wipe zeroes the bytes Reveal returns.
func (v Value) Wipe() { clear(v.Reveal()) }

const opaque = "[opaque]"

// Format prints "[opaque]" for every verb.
func (Value) Format(f fmt.State, _ rune) { io.WriteString(f, opaque) }

// String returns "[opaque]".
func (Value) String() string { return opaque }

// GoString returns "[opaque]".
func (Value) GoString() string { return opaque }

// LogValue returns "[opaque]".
func (Value) LogValue() slog.Value { return slog.StringValue(opaque) }

// MarshalText returns "[opaque]", so that text encoders other than JSON print
// nothing.
func (Value) MarshalText() ([]byte, error) { return []byte(opaque), nil }

// MarshalBinary refuses.
func (Value) MarshalBinary() ([]byte, error) { return nil, errNoBinary }

// GobEncode refuses.
func (Value) GobEncode() ([]byte, error) { return nil, errNoBinary }

var (
	errNoBinary  = errors.New("a secret value has no binary form")
	errNotString = errors.New("a secret value is not a JSON string")
	errNotText   = errors.New("a secret value is not valid UTF-8 text")
)

// MarshalJSON returns the text itself as a JSON string, or null for the zero
// Value. Bytes that are not UTF-8 are an error: they would not come back as
// they went.
func (v Value) MarshalJSON() ([]byte, error) {
	return v.AppendJSON(make([]byte, 0, v.JSONSize()))
}

// UnmarshalJSON takes a JSON string; null leaves v alone. Half surrogates and
// invalid UTF-8 are refused, because a secret must not be altered in silence.
func (v *Value) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	text, err := unquote(b)
	if err != nil {
		return err
	}
	*v = NewValue(text)
	return nil
}

// AppendJSON appends what MarshalJSON returns, [Value.JSONSize] bytes, to out.
func (v Value) AppendJSON(out []byte) ([]byte, error) {
	if v.IsZero() {
		return append(out, "null"...), nil
	}
	b := v.Reveal()
	if !utf8.Valid(b) {
		return out, errNotText
	}
	return appendQuoted(out, b), nil
}

// JSONSize returns the length of what MarshalJSON returns.
func (v Value) JSONSize() int {
	if v.IsZero() {
		return len("null")
	}
	return quotedSize(v.Reveal())
}

const hexDigits = "0123456789abcdef"

// escapes says how many bytes more than one a byte takes in a JSON string.
var escapes = func() (more [256]uint8) {
	for c := range 0x20 {
		more[c] = 5
	}
	for _, c := range []byte("\"\\\n\r\t") {
		more[c] = 1
	}
	return more
}()

// quotedSize returns how many bytes appendQuoted appends.
func quotedSize(b []byte) int {
	n := len(b) + 2
	for _, c := range b {
		n += int(escapes[c])
	}
	return n
}

func appendQuoted(out, b []byte) []byte {
	out = append(out, '"')
	if quotedSize(b) == len(b)+2 {
		return append(append(out, b...), '"')
	}
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c == '\n':
			out = append(out, '\\', 'n')
		case c == '\r':
			out = append(out, '\\', 'r')
		case c == '\t':
			out = append(out, '\\', 't')
		case c < 0x20:
			out = append(out, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

func unquote(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return nil, errNotString
	}
	b = b[1 : len(b)-1]
	if !utf8.Valid(b) {
		return nil, errNotText
	}
	out := make([]byte, 0, len(b)) // no escape is shorter than what it stands for
	for len(b) > 0 {
		switch c := b[0]; {
		case c == '\\':
			r, n := escape(b)
			if n == 0 {
				return nil, errNotText
			}
			out, b = utf8.AppendRune(out, r), b[n:]
		case c == '"' || c < 0x20:
			return nil, errNotString
		default:
			out, b = append(out, c), b[1:]
		}
	}
	return out, nil
}

// escape reads the escape sequence b starts with, and returns its rune and its
// length: 0 when it is none.
func escape(b []byte) (rune, int) {
	if len(b) < 2 {
		return 0, 0
	}
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), b[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r := hex4(b)
	if r < 0 || !utf16.IsSurrogate(r) {
		if r < 0 {
			return 0, 0
		}
		return r, 6
	}
	pair := utf16.DecodeRune(r, hex4(b[6:]))
	if pair == utf8.RuneError {
		return 0, 0
	}
	return pair, 12
}

// hex4 returns the code unit of a leading \uXXXX, or -1.
func hex4(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return -1
		}
		r = r<<4 | rune(c)
	}
	return r
}
