package spawn

import (
	"strings"
	"testing"
)

// However the text is cut, the switches are where they are.
func TestScreen(t *testing.T) {
	const on, off = "\x1b[?1049h", "\x1b[?1049l"
	for text, want := range map[string]string{
		"plain" + on + "full" + off + "plain":           "full" + off,
		"\x1b[?25;47hx\x1b[?47l":                        "x\x1b[?47l",
		"\x1b[?1047hx\x1b[?1;1047l.":                    "x\x1b[?1;1047l",
		"\x1b]0;title\a\x1b[1049h\x1b[?1048h\x1b[?1049": "",
		"\x1b[\x1b[?1049hx":                             "x",
		"\x1b[?" + strings.Repeat("1;", 40) + "1049hx":  "",
		on + on + "x" + off:                             on + "x" + off,
	} {
		for size := 1; size <= len(text); size++ {
			var s screen
			var full strings.Builder
			for rest := []byte(text); len(rest) > 0; {
				for piece := rest[:min(size, len(rest))]; len(piece) > 0; {
					before := s.full
					n := s.next(piece)
					if before {
						full.Write(piece[:n])
					}
					piece, rest = piece[n:], rest[n:]
				}
			}
			if full.String() != want {
				t.Errorf("%q in pieces of %d: %q, want %q", text, size, &full, want)
			}
		}
	}
}
