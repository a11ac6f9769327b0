package mask

import (
	"bytes"
	_ "embed"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// The shortest values that are masked. Shorter ones, and words, stand in texts
// for other reasons.
const (
	shortest     = 8
	shortestMade = 6 // of those that look as if a machine had made them
)

// longestWord is how many characters a word of the list has at most.
const longestWord = 21

//go:embed words.txt
var wordList string

// Short reports whether a value is too short to be masked, or too common.
func Short(value opaque.Bytes) bool {
	for _, p := range pieces(value.Reveal()) {
		if maskable(p) {
			return false
		}
	}
	return true
}

func maskable(p []byte) bool {
	p = bytes.TrimSpace(p)
	if len(p) < shortest && (len(p) < shortestMade || !made(p)) {
		return false
	}
	return !common(p)
}

// made reports whether p looks as if a machine had made it.
func made(p []byte) bool {
	has := func(is func(rune) bool) bool { return bytes.IndexFunc(p, is) >= 0 }
	return has(unicode.IsUpper) && has(unicode.IsLower) && has(unicode.IsDigit)
}

// common reports whether p is a word of the list, a line of a kind such as
// "-----BEGIN PRIVATE KEY-----", or one character over and over.
func common(p []byte) bool {
	if bytes.HasPrefix(p, []byte("-----")) && !bytes.Contains(p, []byte("\n")) || bytes.Count(p, p[:1]) == len(p) {
		return true
	}
	n := utf8.RuneCount(p)
	if n > longestWord {
		return false
	}
	for word := range strings.Lines(wordList) {
		// A character is equal to one other at most, whatever its length in bytes. To turn
		// the value into a string would leave a copy of it behind for each word.
		if word = strings.TrimSpace(word); len(word) == n && bytes.EqualFold([]byte(word), p) {
			return true
		}
	}
	return false
}

// pieces returns what of a value may be printed by itself: all of it, and each of
// its lines, without the white space around.
func pieces(value []byte) [][]byte {
	list := [][]byte{value, bytes.TrimSpace(value)}
	for line := range bytes.Lines(value) {
		list = append(list, bytes.TrimSpace(line))
	}
	return list
}
