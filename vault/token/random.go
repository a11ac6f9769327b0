package token

import (
	"crypto/rand"
	"encoding/hex"
	"strings"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// RandomSize is the length of what [Random] returns, in bytes.
const RandomSize = 64

// Random returns a bearer token or device code: 64 lower-case hex characters
// from 32 random bytes.
func Random() opaque.Bytes {
	var raw [32]byte
	rand.Read(raw[:])
	text := make([]byte, hex.EncodedLen(len(raw)))
	hex.Encode(text, raw[:])
	clear(raw[:])
	return opaque.New(text)
}

// userCodeAlphabet has no vowels, so that no code is a word, and nothing that
// looks like something else.
const userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ23456789"

// UserCode returns a code for a person to type: eight uniformly random
// symbols as XXXX-XXXX.
func UserCode() string {
	code := make([]byte, 0, 9)
	for len(code) < cap(code) {
		if len(code) == 4 {
			code = append(code, '-')
		}
		code = append(code, userSymbol())
	}
	return string(code)
}

// userSymbol throws away bytes above the last whole multiple of the alphabet:
// a plain remainder would favour its beginning.
func userSymbol() byte {
	const most = 256 - 256%len(userCodeAlphabet)
	var b [1]byte
	for {
		rand.Read(b[:])
		if int(b[0]) < most {
			return userCodeAlphabet[int(b[0])%len(userCodeAlphabet)]
		}
	}
}

// ParseUserCode reads a code as a person types it: in either case, with or
// without the hyphen, with spaces around. It returns the form UserCode makes.
func ParseUserCode(s string) (string, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) == 9 && s[4] == '-' {
		s = s[:4] + s[5:]
	}
	if len(s) != 8 || strings.Trim(s, userCodeAlphabet) != "" {
		return "", false
	}
	return s[:4] + "-" + s[4:], true
}
