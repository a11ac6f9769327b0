package mask

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A Value is a secret and the name to show in its place.
type Value struct {
	Name  string
	Value opaque.Bytes
}

// A Set is what to look for. Its needles lie in locked memory until Close; it
// may be used by several Writers at a time.
type Set struct {
	memory  *locked.Buffer // nil without needles
	needles []needle       // in the order of their texts, each text once
	markers [][]byte       // by value

	// To search as Wu and Manber did: the shortest needle, or as many bytes of
	// each, is a window over the text, whose last block tells how far the next
	// needle may be off. Where that is 0, it may be one of those in ends.
	window int
	shift  [1 << tableBits]uint8
	ends   map[uint32][]int // longest needles first
	first  [256]bool        // bytes that needles begin with
}

type needle struct {
	opaque.Bytes
	value int
}

const (
	block     = 4
	tableBits = 15
	maxWindow = 64 // all but a few of the looks it saves, and shift has bytes
)

// NewSet returns what the values are to be looked for as. It copies them. Values
// that are [Short] are left out. It fails if there is no memory.
func NewSet(values []Value) (*Set, error) {
	s := &Set{}
	var found []form
	defer func() {
		for _, f := range found {
			locked.Wipe(f.text)
		}
	}()
	for i, v := range values {
		s.markers = append(s.markers, fmt.Appendf(nil, "‹cortex:%s›", v.Name))
		for _, text := range forms(v.Value.Reveal()) {
			found = append(found, form{text, i})
		}
	}
	slices.SortStableFunc(found, func(a, b form) int { return bytes.Compare(a.text, b.text) })
	if err := s.keep(found); err != nil {
		return nil, err
	}
	s.index()
	return s, nil
}

// A form is a needle on its way into a set.
type form struct {
	text  []byte
	value int
}

// keep copies the needles into locked memory, each once.
func (s *Set) keep(found []form) (err error) {
	size := 0
	for _, f := range found {
		size += len(f.text)
	}
	if size == 0 {
		return nil
	}
	if s.memory, err = locked.NewBuffer(size); err != nil {
		return err
	}
	free := s.memory.Bytes()
	var last []byte
	for _, f := range found {
		if bytes.Equal(last, f.text) {
			continue
		}
		n := copy(free, f.text)
		last, free = free[:n:n], free[n:]
		s.needles = append(s.needles, needle{opaque.New(last), f.value})
		s.first[last[0]] = true
	}
	return nil
}

func (s *Set) index() {
	s.window = maxWindow
	for _, n := range s.needles {
		s.window = min(s.window, n.Len())
	}
	s.ends = map[uint32][]int{}
	for h := range s.shift {
		s.shift[h] = uint8(s.window - block + 1)
	}
	for i, n := range s.needles {
		text := n.Reveal()[:s.window]
		for at := block; at <= s.window; at++ {
			h := hash(text[at-block:])
			s.shift[h] = min(s.shift[h], uint8(s.window-at))
		}
		h := hash(text[s.window-block:])
		s.ends[h] = append(s.ends[h], i)
	}
	for _, list := range s.ends {
		slices.SortStableFunc(list, func(a, b int) int { return s.needles[b].Len() - s.needles[a].Len() })
	}
}

// hash maps the first block of b to the tables.
func hash(b []byte) uint32 {
	return binary.LittleEndian.Uint32(b) * 0x9e3779b1 >> (32 - tableBits)
}

// Empty reports whether there is nothing to look for.
func (s *Set) Empty() bool { return len(s.needles) == 0 }

// Close wipes the needles, and what was made of them.
func (s *Set) Close() {
	s.needles = nil
	clear(s.shift[:])
	clear(s.ends)
	s.memory.Destroy()
}

// next returns the first place, not before from, where a needle may begin; the
// length of the text if there is none.
func (s *Set) next(text []byte, from int) int {
	if s.Empty() {
		return len(text)
	}
	end := from + s.window // of the window
	for {
		end = s.skip(text, end)
		if end > len(text) {
			break
		}
		d := int(s.shift[hash(text[end-block:])])
		if d == 0 {
			return end - s.window
		}
		end += d
	}
	for at := end - s.window; at < len(text); at++ {
		if s.begins(text[at:]) {
			return at
		}
	}
	return len(text)
}

// skip moves the end of the window as long as there is nothing, which is nearly
// always. Four looks that do not wait for each other take little longer than one.
func (s *Set) skip(text []byte, end int) int {
	most := s.window - block + 1
	for end+3*most <= len(text) {
		a, b := s.shift[hash(text[end-block:])], s.shift[hash(text[end+most-block:])]
		c, d := s.shift[hash(text[end+2*most-block:])], s.shift[hash(text[end+3*most-block:])]
		if a&b&c&d != uint8(most) { // no shift is longer
			return end
		}
		end += 4 * most
	}
	return end
}

// begins reports whether a text that is shorter than the window begins a needle.
func (s *Set) begins(text []byte) bool {
	if !s.first[text[0]] {
		return false
	}
	i := sort.Search(len(s.needles), func(i int) bool { return bytes.Compare(s.needles[i].Reveal(), text) >= 0 })
	return i < len(s.needles) && bytes.HasPrefix(s.needles[i].Reveal(), text)
}

// match returns the length and the value of the longest needle that the text
// begins with, or 0. More tells that a longer one might begin there, if the text
// went on.
func (s *Set) match(text []byte) (n, value int, more bool) {
	if len(text) < s.window {
		return 0, 0, true // or next would not have led here
	}
	for _, i := range s.ends[hash(text[s.window-block:])] {
		switch needle := s.needles[i].Reveal(); {
		case len(needle) > len(text):
			more = more || bytes.HasPrefix(needle, text)
		case bytes.HasPrefix(text, needle):
			return len(needle), s.needles[i].value, more
		}
	}
	return 0, 0, more
}
