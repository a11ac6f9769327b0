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

// checkText accepts what people write: valid UTF-8 of bounded length, without
// control characters that could play tricks on whoever reads it.
func checkText(field string, s *string, longest int) error {
	if s == nil {
		return nil
	}
	if len(*s) > longest {
		return invalid(field, "must not be longer than %d bytes", longest)
	}
	if !utf8.ValidString(*s) {
		return invalid(field, "must be UTF-8")
	}
	for _, r := range *s {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return invalid(field, "must not contain control characters")
		}
	}
	return nil
}

// checkVariable accepts the name of an environment variable as a grant may
// give it. Shells ask for less, but other programs are content with these.
func checkVariable(field, s string) error {
	if s == "" || len(s) > maxVariable {
		return invalid(field, "must be 1 to %d bytes long", maxVariable)
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool {
		return r == '=' || unicode.IsSpace(r) || unicode.IsControl(r)
	}) {
		return invalid(field, "must be UTF-8 without '=', spaces and control characters")
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
