// Package dotenv reads the names a .env file asks for. Values are of no
// interest: they are neither returned nor kept, and [Form] writes a text that
// has none, so that only names leave a machine.
package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// The limits of [Names].
const (
	MaxSize  = 1 << 20 // bytes of text
	MaxNames = 4096
	MaxName  = 512 // bytes of one name
)

// ErrLimit is in the chain of every error about a text that is too big.
var ErrLimit = errors.New("too large for a .env file")

// ErrText is in the chain of the error about a name that is not UTF-8.
var ErrText = errors.New("not UTF-8 text")

// Names returns the names in text, as written, in order, with duplicates.
//
// Lines end in LF or CR LF. Each is trimmed; empty ones and those starting
// with # are skipped; the name is what stands before the first =, or the whole
// line, trimmed again, unless nothing is left. There is no quoting, no export
// prefix and no further check; but what is longer than MaxName is a piece of
// something else and left out, because older daemons send whole files. Errors
// name the line, never its content.
func Names[T ~string | ~[]byte](text T) ([]string, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(text), MaxSize)
	}
	var names []string
	n := 0
	for line := range bytes.Lines([]byte(text)) {
		n++
		name := lineName(line)
		if len(name) == 0 || len(name) > MaxName {
			continue
		}
		if err := check(name, len(names)); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		names = append(names, string(name))
	}
	return names, nil
}

func lineName(line []byte) []byte {
	line = bytes.TrimSpace(line)
	if len(line) == 0 || line[0] == '#' {
		return nil
	}
	name, _, _ := bytes.Cut(line, []byte{'='})
	return bytes.TrimSpace(name)
}

func check(name []byte, before int) error {
	switch {
	case len(name) > MaxName:
		return fmt.Errorf("%w: a name of %d bytes, at most %d", ErrLimit, len(name), MaxName)
	case before == MaxNames:
		return fmt.Errorf("%w: more than %d names", ErrLimit, MaxNames)
	case !utf8.Valid(name):
		return ErrText
	}
	return nil
}

// Form returns a text from which [Names] reads the same names: one NAME=
// line each.
func Form(names []string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(name)
		b.WriteString("=\n")
	}
	return b.String()
}
