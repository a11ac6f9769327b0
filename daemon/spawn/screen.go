package spawn

import (
	"bytes"
	"slices"
	"strings"
)

// A screen tells whether a program fills all of it, as editors and pagers do: it
// then is on the alternate one, as xterm calls it.
type screen struct {
	full bool
	seq  []byte // a control sequence that has begun
}

// maxSequence is longer than any sequence that switches.
const maxSequence = 32

// next returns how many of the first bytes of p come before the next switch, with
// that.
func (s *screen) next(p []byte) int {
	for i := 0; i < len(p); i++ {
		if len(s.seq) == 0 {
			at := bytes.IndexByte(p[i:], esc)
			if at < 0 {
				break
			}
			i += at
		}
		if s.step(p[i]) {
			return i + 1
		}
	}
	return len(p)
}

const esc = 0x1b

// step reports whether c ends a sequence that switches.
func (s *screen) step(c byte) bool {
	switch {
	case c == esc:
		s.seq = append(s.seq[:0], c)
	case len(s.seq) == maxSequence, len(s.seq) == 1 && c != '[':
		s.seq = s.seq[:0]
	case len(s.seq) > 1 && c >= '@' && c <= '~':
		params, private := strings.CutPrefix(string(s.seq[2:]), "?")
		s.seq = s.seq[:0]
		return private && s.switched(c, strings.Split(params, ";"))
	default:
		s.seq = append(s.seq, c)
	}
	return false
}

// switched follows a change of private modes, and reports whether it is one of
// those that switch the screen.
func (s *screen) switched(c byte, modes []string) bool {
	if c != 'h' && c != 'l' || !slices.ContainsFunc(modes, alternate) {
		return false
	}
	s.full = c == 'h'
	return true
}

func alternate(mode string) bool { return mode == "47" || mode == "1047" || mode == "1049" }
