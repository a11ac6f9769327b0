package strict

import (
	"bytes"
	"encoding/json"
	"unicode/utf16"
	"unicode/utf8"
)

// A walker goes through a text that package json found valid. It makes no
// copies but of names.
type walker struct{ rest []byte }

// value walks over one value, which s describes and path names.
func (w *walker) value(s *shape, path string, depth int) error {
	w.space()
	switch w.rest[0] {
	case '{':
		return w.object(s, path, depth+1)
	case '[':
		return w.array(s, path, depth+1)
	case '"':
		if !unicode(w.text()) {
			return wrong(path, "is not valid Unicode text")
		}
	default: // a number, true, false or null
		w.skip(bytes.IndexAny(w.rest, ",]} \t\r\n"))
	}
	return nil
}

func (w *walker) object(s *shape, path string, depth int) error {
	if depth > MaxDepth {
		return wrong("", "is nested more than %d deep", MaxDepth)
	}
	seen := map[string]bool{}
	for w.next('}') {
		name, err := w.name(path)
		if err != nil {
			return err
		}
		if seen[name] {
			return wrong(path, "has two members of one name")
		}
		seen[name] = true
		if err := w.member(s, path, name, depth); err != nil {
			return err
		}
	}
	if s != nil {
		for _, name := range s.required {
			if !seen[name] {
				return wrong(join(path, name), "is missing")
			}
		}
	}
	return nil
}

// member walks over the value of a member.
func (w *walker) member(s *shape, path, name string, depth int) error {
	m, known, exact := s.lookup(name)
	if !exact {
		return wrong(path, "has a member whose name is in the wrong case")
	}
	w.space()
	w.skip(1) // the colon
	w.space()
	if !known {
		return w.value(nil, "", depth)
	}
	if path = join(path, name); !m.nullable && w.rest[0] == 'n' {
		return wrong(path, "must not be null")
	}
	return w.value(m.shape, path, depth)
}

func (w *walker) array(s *shape, path string, depth int) error {
	if depth > MaxDepth {
		return wrong("", "is nested more than %d deep", MaxDepth)
	}
	for w.next(']') {
		if w.space(); w.rest[0] == 'n' && path != "" {
			return wrong(path, "must not hold null")
		}
		if err := w.value(s, path, depth); err != nil {
			return err
		}
	}
	return nil
}

// next steps over what stands before an element: the opening bracket or a
// comma. It returns false when it stepped over the closing one instead.
func (w *walker) next(closing byte) bool {
	w.space()
	opened := w.rest[0] == '{' || w.rest[0] == '['
	if w.rest[0] == closing {
		w.skip(1)
		return false
	}
	w.skip(1)
	w.space()
	if opened && w.rest[0] == closing {
		w.skip(1)
		return false
	}
	return true
}

// name walks over a member's name and returns it decoded.
func (w *walker) name(path string) (string, error) {
	w.space()
	raw := w.text()
	if !unicode(raw) {
		return "", wrong(path, "has a member whose name is not valid Unicode text")
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var name string
	if err := json.Unmarshal(raw, &name); err != nil {
		return "", wrong(path, "has a member whose name cannot be read") // unreachable: the text is valid
	}
	return name, nil
}

// text walks over a string and returns it with its quotes.
func (w *walker) text() []byte {
	n := 1
	for w.rest[n] != '"' {
		if w.rest[n] == '\\' {
			n++
		}
		n++
	}
	raw := w.rest[:n+1]
	w.rest = w.rest[n+1:]
	return raw
}

func (w *walker) space() { w.rest = bytes.TrimLeft(w.rest, " \t\r\n") }

func (w *walker) skip(n int) { w.rest = w.rest[n:] }

// unicode reports whether a string is UTF-8 and has no half of a surrogate
// pair, which package json would replace.
func unicode(raw []byte) bool {
	if !utf8.Valid(raw) {
		return false
	}
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return true
		}
		raw = raw[i:]
		if raw[1] != 'u' {
			raw = raw[2:]
			continue
		}
		n := escape(raw)
		if n == 0 {
			return false
		}
		raw = raw[n:]
	}
}

// escape returns the length of the \uXXXX, or of the pair of them, that raw
// begins with; 0 if it is half a pair.
func escape(raw []byte) int {
	r := hex4(raw[2:])
	if !utf16.IsSurrogate(r) {
		return 6
	}
	if len(raw) < 12 || raw[6] != '\\' || raw[7] != 'u' || utf16.DecodeRune(r, hex4(raw[8:])) == utf8.RuneError {
		return 0
	}
	return 12
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
