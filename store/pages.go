package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// verifyPages looks at every page of a file that is in use, without the engine:
// whether each is where it belongs and in use once, and its keys are in order and
// within it. The engine checks the same when it has to find the free pages, but
// takes the file at its word meanwhile, and in a goroutine of its own, out of
// reach: what makes no sense there would end the process. What is wrong is
// ErrDamaged.
func verifyPages(f io.ReaderAt, h *header) error {
	v := verifier{file: f, size: h.page, end: uint64(h.size / h.page), used: make([]bool, h.size/h.page)}
	return v.tree(h.root, nil, nil, 0)
}

// The parts of a page, in bytes and flags: a header (number u64, flags u16, count
// u16, how many pages follow u32), then elements of one size, then what they point
// to, by its distance from the element.
const (
	pageHeader  = 16
	pageElement = 16
	pageBranch  = 0x01
	pageLeaf    = 0x02
	leafBucket  = 0x01 // an element that is a bucket: its root u64, a number u64, or a page inside
	maxDepth    = 64
)

type verifier struct {
	file io.ReaderAt
	size int64  // of a page
	end  uint64 // how many pages there are
	used []bool
}

func damage(page uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, page, fmt.Sprintf(format, args...))
}

// tree verifies the pages from a root on, whose keys are from min on and before
// max; nil for no bound.
func (v *verifier) tree(id uint64, min, max []byte, depth int) error {
	if depth > maxDepth {
		return damage(id, "the tree is too deep")
	}
	page, err := v.read(id)
	if err != nil {
		return err
	}
	return v.page(id, page, min, max, depth)
}

// read returns a page with those that follow it, and notes that they are in use.
func (v *verifier) read(id uint64) ([]byte, error) {
	if id < 2 || id >= v.end {
		return nil, damage(id, "there is none")
	}
	page := make([]byte, v.size)
	if _, err := v.file.ReadAt(page, int64(id)*v.size); err != nil {
		return nil, err
	}
	more := uint64(binary.LittleEndian.Uint32(page[12:]))
	if binary.LittleEndian.Uint64(page) != id || more >= v.end-id {
		return nil, damage(id, "its header is of another")
	}
	for i := id; i <= id+more; i++ {
		if v.used[i] {
			return nil, damage(i, "it is used twice")
		}
		v.used[i] = true
	}
	if more == 0 {
		return page, nil
	}
	page = make([]byte, int64(more+1)*v.size)
	_, err := v.file.ReadAt(page, int64(id)*v.size)
	return page, err
}

// page verifies what is in a page, and what it leads to.
func (v *verifier) page(id uint64, page, min, max []byte, depth int) error {
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if flags != pageLeaf && (flags != pageBranch || count == 0) || pageHeader+count*pageElement > len(page) {
		return damage(id, "it is of no kind")
	}
	keys := make([][]byte, count)
	values := make([][]byte, count)
	for i := range count {
		var ok bool
		if keys[i], values[i], ok = element(page, i, flags); !ok {
			return damage(id, "an element leads out of it")
		}
		if i > 0 && bytes.Compare(keys[i-1], keys[i]) >= 0 || min != nil && bytes.Compare(keys[i], min) < 0 || max != nil && bytes.Compare(keys[i], max) >= 0 {
			return damage(id, "its keys are not in order")
		}
	}
	for i := range count {
		if err := v.below(id, page, i, flags, keys, values[i], max, depth); err != nil {
			return err
		}
	}
	return nil
}

// element returns the key and the value of an element; a branch's have no value.
func element(page []byte, i int, flags uint16) (key, value []byte, ok bool) {
	at := pageHeader + i*pageElement
	e := page[at : at+pageElement]
	number := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(e[at:])) }
	from, keySize, valueSize := number(0), number(4), uint64(0)
	if flags == pageLeaf {
		from, keySize, valueSize = number(4), number(8), number(12)
	}
	from += uint64(at)
	middle := from + keySize
	end := middle + valueSize
	if end > uint64(len(page)) {
		return nil, nil, false
	}
	return page[from:middle], page[middle:end], true
}

// below verifies what an element leads to: a page, a bucket, or nothing.
func (v *verifier) below(id uint64, page []byte, i int, flags uint16, keys [][]byte, value, max []byte, depth int) error {
	e := page[pageHeader+i*pageElement:]
	if flags == pageBranch {
		if i+1 < len(keys) {
			max = keys[i+1]
		}
		return v.tree(binary.LittleEndian.Uint64(e[8:]), keys[i], max, depth+1)
	}
	if binary.LittleEndian.Uint32(e)&leafBucket == 0 {
		return nil
	}
	if len(value) < 16 {
		return damage(id, "a bucket is too short")
	}
	if root := binary.LittleEndian.Uint64(value); root != 0 {
		return v.tree(root, nil, nil, depth+1)
	}
	if inside := value[16:]; len(inside) < pageHeader || binary.LittleEndian.Uint16(inside[8:]) != pageLeaf {
		return damage(id, "a bucket within it is of no kind")
	}
	return v.page(id, value[16:], nil, nil, depth+1)
}
