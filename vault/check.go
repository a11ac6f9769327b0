package vault

import (
	"errors"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/proof"
)

// The longest texts accepted, in bytes.
const (
	maxDescription = 2048
	maxVariable    = 512
	maxHostname    = 255
	maxVersion     = 128
)

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }

func checkName(field, s string) error {
	if !proof.ValidName(s) {
		return invalid(field, "must be 1 to 128 letters, digits, '_', '.' or '-', not starting with a dot")
	}
	return nil
}

func checkAgentID(field, s string) error {
	if !proof.ValidAgentID(s) {
		return invalid(field, "must be 1 to 128 letters, digits, '_', '@', ':' or '-'")
	}
	return nil
}

func checkPath(field, s string) error {
	if !proof.ValidPath(s) {
		return invalid(field, "must be 1 to 512 letters, digits, '_', '.', '/' or '-', without '..'")
	}
	return nil
}

// checkText accepts what people write over several lines: printable UTF-8 of
// bounded length, line breaks and tabs. Control characters, and those that
// turn or hide what follows, could play tricks on whoever reads it.
func checkText(field string, s *string, longest int) error {
	if s == nil {
		return nil
	}
	flat := strings.NewReplacer("\n", " ", "\t", " ").Replace(*s)
	return checkLine(field, &flat, longest)
}

// checkLine is checkText for one line.
func checkLine(field string, s *string, longest int) error {
	switch {
	case s == nil:
		return nil
	case len(*s) > longest:
		return invalid(field, "must not be longer than %d bytes", longest)
	case !utf8.ValidString(*s):
		return invalid(field, "must be UTF-8")
	case strings.ContainsFunc(*s, func(r rune) bool { return !unicode.IsPrint(r) }):
		return invalid(field, "must contain printable characters only")
	}
	return nil
}

// checkID accepts what may be the id of a row. Whether it is one shows when the
// row is looked for; that it was is recorded.
func checkID(field, s string) error { return checkLine(field, &s, maxID) }

// maxID is more than any row's id has, in bytes.
const maxID = 128

// checkVariable accepts the name of an environment variable as a grant may
// give it. Shells ask for less, but other programs are content with these. It
// is ASCII, because other letters fold into it: a Kelvin sign in lower case is
// a k, and what was denied would come back in another spelling.
func checkVariable(field, s string) error {
	if s == "" || len(s) > maxVariable {
		return invalid(field, "must be 1 to %d bytes long", maxVariable)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == '=' }) {
		return invalid(field, "must be printable ASCII without '=' and spaces")
	}
	return nil
}

// namespaceOr returns the default namespace for the empty name.
func namespaceOr(ns string) string {
	if ns == "" {
		return DefaultNamespace
	}
	return ns
}
