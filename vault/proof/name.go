package proof

import "strings"

// ValidAgentID reports whether s can be an agent's id: 1 to 128 of
// A-Z a-z 0-9 _ @ : - and no dot, which separates attestation segments.
func ValidAgentID(s string) bool {
	return inSet(s, 1, 128, func(c byte) bool { return isWord(c) || c == '@' || c == ':' })
}

// ValidName reports whether s can name a project or a namespace: 1 to 128 of
// A-Z a-z 0-9 _ . - and not starting with a dot.
func ValidName(s string) bool {
	return inSet(s, 1, 128, func(c byte) bool { return isWord(c) || c == '.' }) && s[0] != '.'
}

// ValidPath reports whether s can be a secret's path: 1 to 512 of
// A-Z a-z 0-9 _ . / - without two dots in a row. A leading slash is allowed.
func ValidPath(s string) bool {
	return inSet(s, 1, 512, func(c byte) bool { return isWord(c) || c == '.' || c == '/' }) && !strings.Contains(s, "..")
}

// ValidNonce reports whether s can be a nonce: 8 to 128 of A-Z a-z 0-9 _ -.
func ValidNonce(s string) bool { return inSet(s, 8, 128, isWord) }

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func isLowerHex(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' }

func inSet(s string, least, most int, in func(byte) bool) bool {
	if len(s) < least || len(s) > most {
		return false
	}
	for i := range len(s) {
		if !in(s[i]) {
			return false
		}
	}
	return true
}
