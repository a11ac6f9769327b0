package note

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxSize is the greatest length of a note in bytes.
const MaxSize = 16 << 10

// maxSignatures bounds the signatures of a note.
const maxSignatures = 16

// A Note is a head with signatures. The vault's own may have company: whoever
// keeps a note may countersign it.
type Note struct {
	Head
	Signatures []Signature
}

// A Signature is one line below a note.
type Signature struct {
	// Name is that of the key.
	Name string
	// Bytes are the key's hash, 4 bytes, and the signature.
	Bytes []byte
}

// String returns the note's text, which ends with a line's end.
func (n Note) String() string {
	var b strings.Builder
	b.WriteString(n.body())
	b.WriteByte('\n')
	for _, s := range n.Signatures {
		fmt.Fprintf(&b, "— %s %s\n", s.Name, base64.StdEncoding.EncodeToString(s.Bytes))
	}
	return b.String()
}

// Parse parses what String returned, and nothing else: what it accepts has the
// same text again. It verifies nothing. Any error is ErrMalformed.
func Parse(text []byte) (Note, error) {
	n, err := parse(string(text[:min(len(text), MaxSize+1)]))
	if err == nil && n.String() != string(text) {
		err = errors.New("not in its one spelling")
	}
	if err != nil {
		return Note{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return n, nil
}

// parse may also accept other spellings.
func parse(text string) (n Note, err error) {
	if len(text) > MaxSize || !utf8.ValidString(text) {
		return n, fmt.Errorf("not UTF-8, or more than %d bytes", MaxSize)
	}
	body, signatures, ok := strings.Cut(text, "\n\n")
	if !ok {
		return n, errors.New("no empty line")
	}
	if n.Head, err = parseBody(body + "\n"); err != nil {
		return n, err
	}
	for line := range strings.Lines(signatures) {
		s, err := parseSignature(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return n, err
		}
		if n.Signatures = append(n.Signatures, s); len(n.Signatures) > maxSignatures {
			return n, fmt.Errorf("more than %d signatures", maxSignatures)
		}
	}
	if len(n.Signatures) == 0 {
		return n, errors.New("no signature")
	}
	return n, nil
}

func parseSignature(line string) (Signature, error) {
	rest, marked := strings.CutPrefix(line, "— ")
	name, text, spaced := strings.Cut(rest, " ")
	b, err := base64.StdEncoding.DecodeString(text)
	odd := strings.ContainsFunc(name, func(r rune) bool { return r == '+' || unicode.IsSpace(r) })
	if !marked || !spaced || name == "" || odd || err != nil || len(b) <= hashSize {
		return Signature{}, errors.New("a line that is no signature")
	}
	return Signature{name, b}, nil
}
