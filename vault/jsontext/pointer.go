package jsontext

import (
	"errors"
	"strconv"
	"strings"
)

var (
	// ErrPointer is what is wrong with the text of a pointer.
	ErrPointer = errors.New("not a JSON pointer: want /name/name, with ~0 for ~ and ~1 for /")
	// ErrNotFound: a pointer leads nowhere.
	ErrNotFound = errors.New("the pointer leads nowhere")
)

// A Pointer leads to one part of a JSON text, as RFC 6901 has it. The zero
// Pointer leads to the whole.
type Pointer []string

// ParsePointer reads a pointer: nothing, or reference tokens each behind a
// slash. Any error is ErrPointer. The text of what parses is [Pointer.String].
func ParsePointer(text string) (Pointer, error) {
	if text == "" {
		return nil, nil
	}
	first, rest, _ := strings.Cut(text, "/")
	if first != "" {
		return nil, ErrPointer
	}
	p := Pointer(strings.Split(rest, "/"))
	for i, token := range p {
		if !escaped(token) {
			return nil, ErrPointer
		}
		// In this order, or ~01 would become a slash.
		p[i] = strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
	}
	return p, nil
}

// escaped reports whether every ~ of a token is followed by 0 or 1.
func escaped(token string) bool {
	for {
		_, after, found := strings.Cut(token, "~")
		if !found {
			return true
		}
		if after == "" || after[0] != '0' && after[0] != '1' {
			return false
		}
		token = after[1:]
	}
}

// String returns the text that [ParsePointer] reads as p.
func (p Pointer) String() string {
	var b strings.Builder
	for _, token := range p {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(token, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// Find returns the part of a text, which [Check] accepted, that p leads to, as
// it stands there, or ErrNotFound. The result is part of text and no copy.
func (p Pointer) Find(text []byte) ([]byte, error) {
	s := scanner{text}
	at := s.value()
	for _, token := range p {
		if at = child(at, token); at == nil {
			return nil, ErrNotFound
		}
	}
	return at, nil
}

// child returns what a token leads to, nil if that is nothing.
func child(value []byte, token string) []byte {
	switch value[0] {
	case '{':
		for name, member := range Members(value) {
			if name == token {
				return member
			}
		}
	case '[':
		index, ok := arrayIndex(token)
		if !ok {
			return nil
		}
		for _, element := range parts(value) {
			if index == 0 {
				return element
			}
			index--
		}
	}
	return nil
}

// arrayIndex reads an index: decimal, without leading zeros. The "-" of RFC
// 6901 is the element behind the last one, which is never there.
func arrayIndex(token string) (int, bool) {
	if token == "" || token[0] == '0' && token != "0" || strings.Trim(token, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(token)
	return n, err == nil
}
