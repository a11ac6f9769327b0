package ipc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// How deep a line may nest, and how many members an object may have: more than
// any type here, for clients that are newer.
const (
	maxDepth   = 8
	maxMembers = 64
)

// members are those of any type in this package that is read. A name that
// differs from one of them in case alone is refused: package json would take
// it for the same.
var members = []string{
	"cmd", "program", "args", "project", "url", "env_file", "v", "fds", "names", "aliases", "files", "templates", "template_files", "canary", "env", "umask", "wait", "timeout", "limits", "ignored", "blocked", "schedule", "nice", "policy", "io", "cpus",
	"resource", "soft", "hard", "base64", "signal",
}

// check refuses what package json would accept in silence: names that come
// twice or in another case, deep nesting, bytes that are not UTF-8, and half
// surrogates. line holds one value and nothing behind.
func check(line []byte) error {
	if !utf8.Valid(line) {
		return fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	if err := surrogates(line); err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	if err := walk(dec, 0); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return fmt.Errorf("%w: something follows the object", ErrMalformed)
	}
	return nil
}

// walk reads one value.
func walk(dec *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("%w: nested too deep", ErrMalformed)
	}
	token, err := dec.Token()
	if err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	switch token {
	case json.Delim('{'):
		return walkObject(dec, depth)
	case json.Delim('['):
		for dec.More() {
			if err := walk(dec, depth+1); err != nil {
				return err
			}
		}
		return closing(dec)
	}
	return nil
}

func walkObject(dec *json.Decoder, depth int) error {
	seen := map[string]bool{}
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return fmt.Errorf("%w: not JSON", ErrMalformed)
		}
		if len(seen) == maxMembers {
			return fmt.Errorf("%w: more than %d members", ErrMalformed, maxMembers)
		}
		if seen[name] {
			return fmt.Errorf("%w: a member comes twice", ErrMalformed)
		}
		seen[name] = true
		for _, known := range members {
			if name != known && strings.EqualFold(name, known) {
				return fmt.Errorf("%w: a member named %s in another case", ErrMalformed, known)
			}
		}
		if err := walk(dec, depth+1); err != nil {
			return err
		}
	}
	return closing(dec)
}

func closing(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%w: not JSON", ErrMalformed)
	}
	return nil
}

// surrogates refuses \uD800 to \uDFFF unless they come in pairs: package json
// would put another character in their place.
func surrogates(line []byte) error {
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		i++
		switch unit := escaped(line, i); {
		case unit>>10 == 0xD800>>10 && i+5 < len(line) && line[i+5] == '\\' && escaped(line, i+6)>>10 == 0xDC00>>10:
			i += 10
		case unit>>11 == 0xD800>>11:
			return fmt.Errorf("%w: half a surrogate pair", ErrMalformed)
		}
	}
	return nil
}

// escaped returns the code unit of uXXXX at i, or 0.
func escaped(line []byte, i int) int {
	if i+5 > len(line) || line[i] != 'u' {
		return 0
	}
	var unit int
	for _, c := range line[i+1 : i+5] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 {
			return 0
		}
		unit = unit<<4 | digit
	}
	return unit
}
