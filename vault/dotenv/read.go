package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// ErrForm is in the chain of the error about a line that is not NAME=value.
var ErrForm = errors.New("not of the form NAME=value")

// An Entry is one assignment in a .env file.
type Entry struct {
	Name string
	// Blank says that it has no value: somebody else is to provide one.
	Blank bool
}

// EntryNames returns the names of entries.
func EntryNames(entries []Entry) []string {
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = e.Name
	}
	return names
}

// Read returns the names that a .env file on this machine asks for, in order,
// with duplicates. It is strict where [Names] is not, because what it returns
// is sent away, and must not be a piece of a value.
//
// A line is empty, a comment beginning with #, or NAME=value, with blanks and
// "export " in front as shells have it. A name is a letter or underscore and
// then letters, digits, underscores, dots and hyphens. A value that begins with
// a quotation mark, ", ' or `, goes on to the next such mark, also over several
// lines; a backslash before a " hides it. Everything else is ErrForm, or
// ErrLimit; errors name the line, and quote nothing of it.
func Read(text []byte) ([]Entry, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrLimit, len(text), MaxSize)
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var entries []Entry
	for at, n := 0, 1; at < len(text); {
		name, blank, next, err := readLine(text, at)
		if err == nil && name != nil {
			err = check(name, len(entries))
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if name != nil {
			entries = append(entries, Entry{string(name), blank})
		}
		n += bytes.Count(text[at:next], []byte{'\n'})
		at = next
	}
	return entries, nil
}

// readLine reads the line that begins at an offset, and returns its name, nil if
// it has none, whether that has no value, and where the next one begins.
func readLine(text []byte, at int) (name []byte, blank bool, next int, err error) {
	line, _, _ := bytes.Cut(text[at:], []byte{'\n'})
	next = min(at+len(line)+1, len(text))
	if trimmed := bytes.TrimSpace(line); len(trimmed) == 0 || trimmed[0] == '#' {
		return nil, false, next, nil
	}
	name, value, ok := bytes.Cut(line, []byte{'='})
	if name = unexported(bytes.TrimSpace(name)); !ok || !isName(name) {
		return nil, false, 0, ErrForm
	}
	begin := at + len(line) - len(bytes.TrimLeft(value, " \t"))
	next, err = behind(text, begin, next)
	return name, isBlank(bytes.TrimSpace(value)), next, err
}

// isBlank reports whether nothing, or nothing but a comment, stands behind =.
func isBlank(value []byte) bool {
	return len(value) == 0 || value[0] == '#' || string(value) == `""` || string(value) == "''" || string(value) == "``"
}

// unexported cuts "export " off.
func unexported(name []byte) []byte {
	after, ok := bytes.CutPrefix(name, []byte("export"))
	if trimmed := bytes.TrimLeft(after, " \t"); ok && len(trimmed) < len(after) {
		return trimmed
	}
	return name
}

func isName(s []byte) bool {
	for i, c := range s {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c != '.' && c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(s) > 0
}

// behind returns where the line behind a value begins: the next one, unless the
// value is in quotation marks and goes on.
func behind(text []byte, value, next int) (int, error) {
	if value == len(text) || !strings.ContainsRune("\"'`", rune(text[value])) {
		return next, nil
	}
	mark := text[value]
	for i := value + 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && mark == '"':
			i++
		case text[i] == mark:
			rest, _, _ := bytes.Cut(text[i:], []byte{'\n'})
			return min(i+len(rest)+1, len(text)), nil
		}
	}
	return 0, fmt.Errorf("%w: a quotation mark is never closed", ErrForm)
}
