package opaque

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// errJSON says nothing about the input: the input is a secret.
var errJSON = errors.New("opaque: not a JSON string of valid Unicode")

// UnmarshalJSON sets b to the content of a JSON string. The content never
// becomes a Go string, which could not be wiped. As is the custom, null leaves
// b as it is.
//
// It is stricter than encoding/json: invalid UTF-8 and unpaired surrogates are
// refused, where encoding/json would quietly store a different secret.
func (b *Bytes) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if len(data) < 2 || data[0] != '"' || data[len(data)-1] != '"' {
		return errJSON
	}
	secret, ok := unquote(data[1 : len(data)-1])
	if !ok {
		return errJSON
	}
	*b = New(secret)
	return nil
}

// unquote decodes what stands between the quotes of a JSON string. The result
// is never longer than in, so one allocation holds it and none is abandoned.
func unquote(in []byte) ([]byte, bool) {
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		switch c := in[0]; {
		case c == '\\':
			r, n := escape(in)
			if n == 0 {
				clear(out)
				return nil, false
			}
			out, in = utf8.AppendRune(out, r), in[n:]
		case c == '"' || c < ' ':
			clear(out)
			return nil, false
		default:
			r, n := utf8.DecodeRune(in)
			if r == utf8.RuneError && n == 1 {
				clear(out)
				return nil, false
			}
			out, in = append(out, in[:n]...), in[n:]
		}
	}
	return out, true
}

// escape decodes the escape sequence that in begins with, and returns its
// length, 0 if it is not a valid one.
func escape(in []byte) (r rune, n int) {
	if len(in) < 2 {
		return 0, 0
	}
	switch in[1] {
	case '"', '\\', '/':
		return rune(in[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		return unicodeEscape(in)
	}
	return 0, 0
}

// unicodeEscape decodes \uXXXX, or two of them that make a surrogate pair.
func unicodeEscape(in []byte) (r rune, n int) {
	r, ok := hex4(in)
	if !ok {
		return 0, 0
	}
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	low, ok := hex4(in[6:])
	if !ok {
		return 0, 0
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

// hex4 decodes the \uXXXX that in begins with.
func hex4(in []byte) (rune, bool) {
	if len(in) < 6 || in[0] != '\\' || in[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range in[2:6] {
		d := digit(c)
		if d < 0 {
			return 0, false
		}
		r = r<<4 | d
	}
	return r, true
}

// digit returns the value of a hexadecimal digit, -1 if c is none.
func digit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return rune(c-'A') + 10
	}
	return -1
}
