package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

// The parts of a page, in bytes and flags: a header (number u64, flags u16, count
// u16, how many pages follow u32), then elements of one size, then what they point
// to, by its distance from the element.
const (
	pageHeader  = 16
	pageElement = 16
	pageBranch  = 0x01
	pageLeaf    = 0x02
	pageFree    = 0x10
	leafBucket  = 0x01 // an element that is a bucket: its root u64, a number u64, or a page inside
	maxDepth    = 64
)

// A verifier has looked at some pages of a file.
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
		if err := v.use(i); err != nil {
			return nil, err
		}
	}
	if more == 0 {
		return page, nil
	}
	page = make([]byte, int64(more+1)*v.size)
	_, err := v.file.ReadAt(page, int64(id)*v.size)
	return page, err
}

// use notes that a page is in use.
func (v *verifier) use(id uint64) error {
	if v.used[id] {
		return damage(id, "it is used twice")
	}
	v.used[id] = true
	return nil
}

// page verifies what is in a page, and what it leads to.
func (v *verifier) page(id uint64, page, min, max []byte, depth int) error {
	flags, count := binary.LittleEndian.Uint16(page[8:]), int(binary.LittleEndian.Uint16(page[10:]))
	if flags != pageLeaf && (flags != pageBranch || count == 0) || pageHeader+count*pageElement > len(page) {
		return damage(id, "it is of no kind")
	}
	keys, values, err := v.elements(id, page, flags, count)
	if err != nil {
		return err
	}
	if !ascend(keys, min, max) {
		return damage(id, "its keys are not in order")
	}
	for i := range count {
		if err := v.below(id, page, i, flags, keys, values[i], max, depth); err != nil {
			return err
		}
	}
	return nil
}

// elements returns what is in a page, which has to fill it.
func (v *verifier) elements(id uint64, page []byte, flags uint16, count int) (keys, values [][]byte, err error) {
	keys, values = make([][]byte, count), make([][]byte, count)
	last := uint64(pageHeader)
	for i := range count {
		var end uint64
		if keys[i], values[i], end = element(page, i, flags); end > uint64(len(page)) {
			return nil, nil, damage(id, "an element leads out of it")
		}
		last = max(last, end)
	}
	if uint64(len(page))-last >= uint64(v.size) {
		return nil, nil, damage(id, "more pages follow it than it fills")
	}
	return keys, values, nil
}

// ascend reports whether keys are in order, from min on and before max; nil for no
// bound.
func ascend(keys [][]byte, min, max []byte) bool {
	for i, key := range keys {
		if i > 0 && bytes.Compare(keys[i-1], key) >= 0 || min != nil && bytes.Compare(key, min) < 0 || max != nil && bytes.Compare(key, max) >= 0 {
			return false
		}
	}
	return true
}

// element returns the key and the value of an element, and where in the page they
// end; nothing but that if they lead out of it. A branch's have no value.
func element(page []byte, i int, flags uint16) (key, value []byte, end uint64) {
	at := pageHeader + i*pageElement
	e := page[at : at+pageElement]
	number := func(at int) uint64 { return uint64(binary.LittleEndian.Uint32(e[at:])) }
	from, keySize, valueSize := number(0), number(4), uint64(0)
	if flags == pageLeaf {
		from, keySize, valueSize = number(4), number(8), number(12)
	}
	from += uint64(at)
	middle := from + keySize
	end = middle + valueSize
	if end > uint64(len(page)) {
		return nil, nil, end
	}
	return page[from:middle], page[middle:end], end
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
