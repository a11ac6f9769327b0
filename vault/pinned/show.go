package pinned

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// Printable returns a text that whoever starts a command chose as it can be shown:
// [Quoted] where anything in it is not printed, or not seen, as it is.
func Printable(text string) string {
	if text == "" || !seen(text) {
		return Quoted(text)
	}
	return text
}

// Quoted returns a text in quotes, as Go reads it. Escaped is, besides what is not printed,
// what nobody sees: a blank at an end or behind another one, which makes a line of a
// terminal look like two, and characters that are printed as blanks, or as nothing.
func Quoted(text string) string {
	q := strconv.Quote(text)
	q = q[1 : len(q)-1]
	var out strings.Builder
	for i, r := range q {
		switch {
		case lost(q, i):
			out.WriteString(`\x20`)
		case unseen(r) && r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		case unseen(r):
			fmt.Fprintf(&out, `\U%08x`, r)
		default:
			out.WriteRune(r)
		}
	}
	return `"` + out.String() + `"`
}

// Word returns a text as one word of a line: [Quoted] where a reader could not tell where it
// ends.
func Word(text string) string {
	if strings.ContainsAny(text, " \"'`\\") {
		return Quoted(text)
	}
	return Printable(text)
}

// seen reports whether a text is seen as what it is.
func seen(text string) bool {
	for i, r := range text {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar || unseen(r) || lost(text, i) {
			return false
		}
	}
	return true
}

// lost reports whether there is a blank where it is not noticed.
func lost(text string, i int) bool {
	return text[i] == ' ' && (i == 0 || i == len(text)-1 || text[i-1] == ' ')
}

// unseen reports whether a character that counts as printed leaves no mark.
func unseen(r rune) bool {
	const brailleBlank = '\u2800'
	return r == brailleBlank || unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}
