package jsontext

import (
	"bytes"
	"iter"
	"unicode/utf16"
	"unicode/utf8"
)

// A scanner steps over a text that is known to be valid JSON.
type scanner struct{ rest []byte }

// value steps over one value and returns it as it stands.
func (s *scanner) value() []byte {
	s.rest = bytes.TrimLeft(s.rest, space)
	n := 0
	switch s.rest[0] {
	case '"':
		n = stringEnd(s.rest)
	case '{', '[':
		n = closing(s.rest)
	default:
		if n = bytes.IndexAny(s.rest, space+",]}"); n < 0 {
			n = len(s.rest)
		}
	}
	v := s.rest[:n]
	s.rest = s.rest[n:]
	return v
}

// punctuation steps over one of , : { [ } ] and returns it.
func (s *scanner) punctuation() byte {
	s.rest = bytes.TrimLeft(s.rest, space)
	c := s.rest[0]
	s.rest = s.rest[1:]
	return c
}

// stringEnd returns the length of the string that b begins with.
func stringEnd(b []byte) int {
	n := 1
	for b[n] != '"' {
		if b[n] == '\\' {
			n++
		}
		n++
	}
	return n + 1
}

// closing returns the length of the array or object that b begins with.
func closing(b []byte) int {
	depth := 0
	for n := 0; ; n++ {
		switch b[n] {
		case '"':
			n += stringEnd(b[n:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return n + 1
			}
		}
	}
}

// parts yields the members of an object, with their quoted names, or the
// elements of an array, with nil for a name.
func parts(container []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func([]byte, []byte) bool) {
		s := scanner{container}
		object := s.punctuation() == '{'
		if inner := trim(s.rest); len(inner) == 1 { // nothing but the end
			return
		}
		for {
			var name []byte
			if object {
				name = s.value()
				s.punctuation()
			}
			if !yield(name, s.value()) || s.punctuation() != ',' {
				return
			}
		}
	}
}

// unquote returns what a string says, in memory of its own.
func unquote(raw []byte) ([]byte, error) {
	raw = raw[1 : len(raw)-1]
	if !utf8.Valid(raw) {
		return nil, ErrInvalid
	}
	out := make([]byte, 0, len(raw)) // no escape is shorter than what it stands for
	for len(raw) > 0 {
		if raw[0] != '\\' {
			out, raw = append(out, raw[0]), raw[1:]
			continue
		}
		r, n := escape(raw)
		if n == 0 {
			clear(out)
			return nil, ErrInvalid
		}
		out, raw = utf8.AppendRune(out, r), raw[n:]
	}
	return out, nil
}

// escape reads the escape sequence b begins with, and returns its rune and its
// length: 0 for half of a surrogate pair.
func escape(b []byte) (rune, int) {
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), b[1]); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), 2
	}
	r := hex4(b[2:])
	if !utf16.IsSurrogate(r) {
		return r, 6
	}
	if len(b) < 12 || b[6] != '\\' || b[7] != 'u' {
		return 0, 0
	}
	pair := utf16.DecodeRune(r, hex4(b[8:]))
	if pair == utf8.RuneError {
		return 0, 0
	}
	return pair, 12
}

// hex4 decodes four hexadecimal digits.
func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c <= '9':
			c -= '0'
		case c <= 'F':
			c -= 'A' - 10
		default:
			c -= 'a' - 10
		}
		r = r<<4 | rune(c)
	}
	return r
}
