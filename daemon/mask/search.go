package mask

import (
	"unicode/utf8"
)

// A search looks for the needles of a set in a text that comes in pieces. Within
// the text there may be gaps, which it passes on and does not look at.
type search struct {
	set  *Set
	w    *Writer
	next func([]byte) // takes what is told

	buf  []byte // from the first byte on that may begin a needle
	done int    // bytes of it that are out, or masked
	last int    // the value whose marker came out last, with nothing behind it

	gaps   []gap // in order
	hidden []byte
	out    int // of gaps
}

// A gap stands before a byte of buf, and ends at a byte of hidden.
type gap struct{ at, end int }

const none = -1

// maxHidden is how much of gaps is held back. A value with more of them in it is
// not found.
const maxHidden = 64 << 10

func (s *search) idle() bool { return len(s.buf) == 0 && s.out == len(s.gaps) }

// held returns how many bytes are held back.
func (s *search) held() int {
	n := max(0, len(s.buf)-s.done)
	for i := s.out; i < len(s.gaps); i++ {
		n += len(s.gap(i))
	}
	return n
}

// write adds a piece and looks at it, without a copy where nothing is held back.
func (s *search) write(p []byte) {
	if len(s.buf) > 0 {
		s.add(p)
		s.scan()
		return
	}
	keep := s.find(p, false)
	s.buf = append(s.buf, p[keep:]...)
}

func (s *search) add(p []byte) { s.buf = append(s.buf, p...) }

// skip adds a gap.
func (s *search) skip(p []byte) {
	s.hidden = append(s.hidden, p...)
	s.gaps = append(s.gaps, gap{len(s.buf), len(s.hidden)})
}

func (s *search) scan() { s.drop(s.find(s.buf, len(s.hidden) > maxHidden)) }

// finish looks at what is held back as if nothing came behind it.
func (s *search) finish() { s.drop(s.find(s.buf, true)) }

// release lets out what is held back, and goes on looking at it.
func (s *search) release(next func([]byte)) {
	usual := s.next
	s.next = next
	s.pass(s.buf, len(s.buf))
	s.next = usual
}

// drop forgets the first n bytes.
func (s *search) drop(n int) {
	rest := copy(s.buf, s.buf[n:])
	clear(s.buf[rest:]) // half a value may have been there
	s.buf = s.buf[:rest]
	if s.out == len(s.gaps) {
		s.gaps, s.hidden, s.out = s.gaps[:0], s.hidden[:0], 0
	}
	for i := s.out; i < len(s.gaps); i++ {
		s.gaps[i].at -= n
	}
}

// find lets out what of text is told, the needles masked, and returns how much
// that is. With final nothing is held back.
func (s *search) find(text []byte, final bool) int {
	at, partial := s.set.next(text, 0), false
	for at < len(text) {
		n, value, more := s.set.match(text[at:])
		if partial = more && !final; partial {
			break
		}
		if n > 0 {
			s.mask(text, at, at+n, value)
		}
		at = s.set.next(text, at+1)
	}
	if !partial {
		at = len(text)
	}
	s.pass(text, at)
	s.done -= at
	return at
}

// pass lets the text out up to a byte, except for what is out already.
func (s *search) pass(text []byte, to int) {
	for ; s.out < len(s.gaps) && s.gaps[s.out].at <= to; s.out++ {
		s.plain(text, s.gaps[s.out].at)
		s.next(s.gap(s.out))
	}
	s.plain(text, to)
}

func (s *search) plain(text []byte, to int) {
	if s.done < to {
		s.next(text[s.done:to])
		s.done, s.last = to, none
	}
}

// gap returns what is in a gap.
func (s *search) gap(i int) []byte {
	from := 0
	if i > 0 {
		from = s.gaps[i-1].end
	}
	return s.hidden[from:s.gaps[i].end]
}

// mask puts a marker in place of a needle. Needles may overlap; what one covers
// and another one before it did not is the other's, too.
func (s *search) mask(text []byte, from, to, value int) {
	s.pass(text, from)
	if to <= s.done {
		return
	}
	marker := s.set.markers[value]
	switch {
	case s.w.SameWidth:
		s.fit(marker, utf8.RuneCount(text[s.done:to]))
	case s.last != value:
		s.next(marker)
	}
	s.done, s.last = to, value
	s.pass(text, to)
}

// fit lets width characters out, as many of them as there are a marker's.
func (s *search) fit(marker []byte, width int) {
	if s.last != none {
		marker = nil // is there already
	}
	for ; width > 0; width-- {
		if len(marker) == 0 {
			s.next(filler)
			continue
		}
		_, n := utf8.DecodeRune(marker)
		s.next(marker[:n])
		marker = marker[n:]
	}
}

var filler = []byte("*")
