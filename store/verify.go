package store

import (
	"encoding/binary"
	"io"
)

// verifyPages looks at every page of a file, without the engine: whether each is
// where it belongs and in use once, or free, and its keys are in order and fill
// it. The engine takes the file at its word: it would follow a branch that leads
// back to itself for ever, free as many pages behind one as that one says, and
// where it has to find the free pages, it does so in a goroutine of its own, out of
// reach, where what makes no sense ends the process. What is wrong is ErrDamaged.
func verifyPages(f io.ReaderAt, h *header) error {
	v := newVerifier(f, h)
	if err := v.tree(h.root, nil, nil, 0); err != nil {
		return err
	}
	return v.freeList(h)
}

// quick is the size of a file, in bytes, up to which all of it is looked at
// whenever it is opened: some 30 ms.
const quick = 32 << 20

// verifySoon is verifyPages for a start, which a large file must not delay: of one
// that was closed in order only the list of free pages is looked at, which the
// engine reads, too.
func verifySoon(f io.ReaderAt, h *header) error {
	if h.settled() && h.size > quick {
		return newVerifier(f, h).freeList(h)
	}
	return verifyPages(f, h)
}

func newVerifier(f io.ReaderAt, h *header) *verifier {
	return &verifier{file: f, size: h.page, end: uint64(h.size / h.page), used: make([]bool, h.size/h.page)}
}

// The list of free pages is a page with those that follow it: numbers u64, as many
// as the header says, or, where it says longList, as the first of them does.
const longList = 0xFFFF

// freeList verifies the list of free pages, if it is in the file: none of them is
// in use.
func (v *verifier) freeList(h *header) error {
	if !h.settled() {
		return nil
	}
	page, err := v.read(h.free)
	if err != nil {
		return err
	}
	flags, count := binary.LittleEndian.Uint16(page[8:]), uint64(binary.LittleEndian.Uint16(page[10:]))
	list := page[pageHeader:]
	if count == longList {
		count, list = binary.LittleEndian.Uint64(list), list[8:]
	}
	if flags != pageFree || count > uint64(len(list)/8) {
		return damage(h.free, "it is no list of free pages")
	}
	for i := range count {
		id := binary.LittleEndian.Uint64(list[8*i:])
		if id < 2 || id >= v.end {
			return damage(h.free, "it has a page that is not there")
		}
		if err := v.use(id); err != nil {
			return err
		}
	}
	return nil
}
