package mask

import "bytes"

const (
	esc = 0x1b
	bel = 0x07
	can = 0x18
	sub = 0x1a
)

// hides reports whether a terminal would not show all of p.
func hides(p []byte) bool {
	return bytes.IndexByte(p, esc) >= 0 || bytes.IndexByte(p, '\r') >= 0
}

// An escape is where in a terminal sequence a stream is, as ECMA-48 has them.
// The zero value is in none.
type escape int

const (
	ground  escape = iota
	begun          // behind ESC
	control        // in CSI, until a byte from @ to ~
	text           // in OSC, DCS, SOS, PM or APC, until BEL or ST
	ending         // behind an ESC in there
)

func (e *escape) idle() bool { return *e == ground }

// next returns how many of the first bytes of p belong together, and whether a
// terminal shows them. A carriage return is hidden: a terminal puts one before
// each line feed.
func (e *escape) next(p []byte) (n int, visible bool) {
	for *e == ground && n < len(p) && p[n] != esc && p[n] != '\r' {
		n++
	}
	if n > 0 {
		return n, true
	}
	for n < len(p) && !e.visible(p[n]) {
		e.step(p[n])
		n++
	}
	return n, false
}

func (e *escape) visible(c byte) bool { return *e == ground && c != esc && c != '\r' }

func (e *escape) step(c byte) {
	switch *e {
	case ground:
		if c == esc {
			*e = begun
		}
	case begun:
		*e = afterEsc(c)
	case control:
		switch {
		case c == esc:
			*e = begun
		case c >= '@' && c <= '~' || c == can || c == sub:
			*e = ground
		}
	case text:
		switch c {
		case esc:
			*e = ending
		case bel, can, sub:
			*e = ground
		}
	case ending:
		*e = ground
		if c != '\\' {
			*e = afterEsc(c) // the sequence was broken off by another
		}
	}
}

func afterEsc(c byte) escape {
	switch {
	case c == '[':
		return control
	case c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_':
		return text
	case c == esc || c >= ' ' && c <= '/':
		return begun // intermediate bytes, and one is to come
	}
	return ground
}

// unhidden returns a copy of p as it is shown, or nil if that is the same.
func unhidden(p []byte) []byte {
	if !hides(p) {
		return nil
	}
	out := make([]byte, 0, len(p))
	for e := ground; len(p) > 0; {
		n, visible := e.next(p)
		if visible {
			out = append(out, p[:n]...)
		}
		p = p[n:]
	}
	return out
}
