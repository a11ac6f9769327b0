package mask

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// forms returns how a value may be printed. All of them are to be wiped.
func forms(value []byte) (list [][]byte) {
	add := func(text []byte) {
		if len(text) >= shortestMade {
			list = append(list, text)
		}
		if shown := unhidden(text); len(shown) >= shortestMade {
			list = append(list, shown)
		}
	}
	for _, p := range pieces(value) {
		if !maskable(p) {
			continue
		}
		add(bytes.Clone(p))
		add(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
		inBase64(p, add)
		inHex(p, add)
		if bytes.IndexFunc(p, special) >= 0 {
			inPercent(p, add)
			inJSON(p, add)
			inShell(p, add)
		}
	}
	return list
}

// special reports whether anything would escape a character.
func special(r rune) bool {
	return r > '~' || !alphanumeric(byte(r)) && strings.IndexByte("-_.", byte(r)) < 0
}

// The functions below give what they make of a text to add, which keeps it.

// inBase64 encodes the text as it is by itself, and as a part of others: then what
// encodes a neighbour as well is left out.
func inBase64(text []byte, add func([]byte)) {
	for _, e := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 {
			padded := e.AppendEncode(nil, append(make([]byte, before, before+len(text)), text...))
			whole := bytes.TrimRight(padded, "=")
			from := (before*8 + 5) / 6
			core := whole[from : (before+len(text))*8/6]
			add(bytes.Clone(core))
			add(bytes.Clone(whole[from:]))
			addWrapped(padded[from:], add, 64, 76)
		}
	}
}

func inHex(text []byte, add func([]byte)) {
	lower := hex.AppendEncode(nil, text)
	addWrapped(bytes.ToUpper(lower), add, 60, 64)
	addWrapped(lower, add, 60, 64)
}

// addWrapped adds a text, and the text broken into lines as common tools do.
func addWrapped(text []byte, add func([]byte), widths ...int) {
	for _, width := range widths {
		if len(text) > width {
			add(wrapped(text, width))
		}
	}
	add(text)
}

func wrapped(text []byte, width int) []byte {
	var out []byte
	for len(text) > width {
		out = append(append(out, text[:width]...), '\n')
		text = text[width:]
	}
	return append(out, text...)
}

// What percent encoders leave as it is, besides letters and digits.
var unreserved = []string{
	"-_.~",               // RFC 3986
	"-_.~/",              // Python
	"-_.!~*'()",          // encodeURIComponent
	"-_.~$&+=:@",         // a segment of a path
	"-_.~!$&'()*+,;=:@/", // a path
}

func inPercent(text []byte, add func([]byte)) {
	for _, keep := range unreserved {
		for _, format := range []string{"%%%02X", "%%%02x"} {
			encoded := replace(text, func(c byte) string {
				if alphanumeric(c) || strings.IndexByte(keep, c) >= 0 {
					return ""
				}
				return fmt.Sprintf(format, c)
			})
			add(bytes.ReplaceAll(encoded, []byte("%20"), []byte("+")))
			add(encoded)
		}
	}
}

// A jsonStyle is how an encoder escapes what it need not, or need not in that way.
type jsonStyle struct {
	hex    string // as numbers, besides control characters
	format string // of these numbers
	slash  bool   // with a backslash
}

// What encoders do by default, of Go, JavaScript and Python (with or without what HTML
// could see), of PHP, of Gson and of .NET.
var jsonStyles = []jsonStyle{
	{format: `\u%04x`},
	{format: `\u%04x`, hex: "<>&"},
	{format: `\u%04x`, slash: true},
	{format: `\u%04x`, hex: "<>&='"},
	{format: `\u%04X`, hex: "<>&+'`\""},
}

func inJSON(text []byte, add func([]byte)) {
	for _, style := range jsonStyles {
		add(style.escape(text, false))
		add(style.escape(text, true))
	}
}

// escape escapes a text, and everything in it that is not ASCII or not.
func (s jsonStyle) escape(text []byte, ascii bool) []byte {
	out := make([]byte, 0, 6*len(text))
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		c, short := text[0], strings.IndexByte("\"\\/\b\f\n\r\t", text[0])
		switch {
		case strings.IndexByte(s.hex, c) >= 0:
			out = s.number(out, r)
		case short >= 0 && (c != '/' || s.slash):
			out = append(out, '\\', `"\/bfnrt`[short])
		case c < ' ' || ascii && r != utf8.RuneError && r > '~':
			out = s.number(out, r)
		default:
			out = append(out, text[:n]...)
		}
		text = text[n:]
	}
	return out
}

// number appends a character as one number, or as two.
func (s jsonStyle) number(out []byte, r rune) []byte {
	if r > 0xffff {
		r -= 0x10000
		return fmt.Appendf(out, s.format+s.format, 0xd800+r>>10, 0xdc00+r&0x3ff)
	}
	return fmt.Appendf(out, s.format, r)
}

// inShell quotes the text as shells print it: between single quotes, between
// double quotes, with backslashes, and as $'...', and as Python has it.
func inShell(text []byte, add func([]byte)) {
	quote := func(r string) []byte { return bytes.ReplaceAll(text, []byte("'"), []byte(r)) }
	add(quote(`'\''`))
	add(quote(`'"'"'`))
	add(quote(`\'`))
	backslash := func(special string) []byte {
		return replace(text, func(c byte) string {
			if strings.IndexByte(special, c) < 0 {
				return ""
			}
			return `\` + string(rune(c))
		})
	}
	add(backslash("\"\\$`"))
	add(backslash("\"\\$`!"))
	add(backslash(" \t\"'\\|&;()<>!{}*[?]^$`~#"))
	add(backslash(" \t\"'\\|&;()<>!{}*[?]^$`~#,"))
	add(replace(text, ansiC))
	add(replace(text, pythonic))
	add(bytes.ReplaceAll(replace(text, pythonic), []byte(`\'`), []byte("'")))
}

func pythonic(c byte) string {
	if at := strings.IndexByte("\t\n\r\\'", c); at >= 0 {
		return `\` + `tnr\'`[at:at+1]
	}
	return ""
}

func ansiC(c byte) string {
	if at := strings.IndexByte("\a\b\t\n\v\f\r\x1b\\'", c); at >= 0 {
		return `\` + `abtnvfrE\'`[at:at+1]
	}
	if c < ' ' || c > '~' {
		return fmt.Sprintf(`\%03o`, c)
	}
	return ""
}

// replace returns the text with what by has for its bytes in their place, if that
// is not "".
func replace(text []byte, by func(byte) string) []byte {
	out := make([]byte, 0, 4*len(text)) // no longer: growing would leave copies
	for _, c := range text {
		if r := by(c); r != "" {
			out = append(out, r...)
		} else {
			out = append(out, c)
		}
	}
	return out
}

func alphanumeric(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
