package notify

import (
	"net/netip"
	"strings"
	"unicode"
)

// apart is a space that has no width: what it stands in is no longer a word
// that a chat knows.
const apart = "\u200b"

// maxField is the longest foreign text in a message, in characters.
const maxField = 200

// printable makes one line of a text that somebody else chose, without
// characters that cannot be seen or that turn others around, and not too long.
func printable(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxField {
			b.WriteRune('…')
			break
		}
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			r = ' '
		}
		b.WriteRune(r)
	}
	return b.String()
}

// inert is printable, and makes nothing of a text that chats and mail programs
// make something of unasked: mentions, tags, links, commands. An address of a
// host is left alone.
func inert(s string) string {
	s = printable(s)
	if _, err := netip.ParseAddr(s); err == nil {
		return s
	}
	runes := []rune(s)
	var b strings.Builder
	for i, r := range runes {
		next := ' '
		if i+1 < len(runes) {
			next = runes[i+1]
		}
		switch {
		case r == '@' || r == '#' || r == '＠' || r == '＃', (r == '.' || r == ':') && next != ' ', r == '。' || r == '．':
			b.WriteString(string(r) + apart)
		case r == '/' && (i == 0 || !alphanumeric(runes[i-1], '_')):
			b.WriteString(apart + string(r) + apart)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// alphanumeric reports whether r is a letter, a digit or also.
func alphanumeric(r, also rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == also }
