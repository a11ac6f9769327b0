package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// A header is what is worth knowing of a file before the engine maps it: the
// engine takes the file at its word, and reads beyond its end.
//
// The first two pages hold a meta record each, behind a page header of 16
// bytes, in the byte order of the machine (all ours are little-endian):
//
//	magic u32 │ version u32 │ page size u32 │ flags u32 │ root u64 │ sequence u64 │
//	free list u64 │ pages u64 │ transaction u64 │ FNV-1a of all before, u64
type header struct {
	page int64 // bytes
	size int64 // bytes in use
	root uint64
	free uint64 // the page with the list of free pages, noFreelist where that is not in the file
	txid uint64
}

// settled reports whether the file was closed in order: the list of free pages is
// in there.
func (h *header) settled() bool { return h.free != noFreelist }

const (
	metaOffset   = 16
	metaSize     = 64
	metaMagic    = 0xED0CDAED
	metaVersion  = 2
	noFreelist   = ^uint64(0)
	smallestPage = 1 << 10
	largestPage  = 1 << 24
)

var sqliteMagic = []byte("SQLite format 3\x00")

// openFile opens and locks the file that db is about, and looks at its header.
func (db *DB) openFile(flag int) (*os.File, *header, error) {
	info, err := os.Stat(db.path)
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, fmt.Errorf("%w: %s is not a regular file", ErrForeign, db.path)
	}
	f, err := os.OpenFile(db.path, flag, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := lockData(f, db.path, db.readOnly); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	h, err := readHeader(f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", db.path, err), f.Close())
	}
	return f, h, nil
}

// readHeader returns the newer of the two meta records.
func readHeader(f *os.File) (*header, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 {
		return nil, fmt.Errorf("%w: the file is empty", ErrForeign)
	}
	h, page, firstErr := readMeta(f, 0)
	for p := int64(smallestPage); p <= largestPage; p *= 2 {
		if firstErr == nil && p != page {
			continue
		}
		second, page, err := readMeta(f, p)
		if err == nil && page == p && (h == nil || second.txid > h.txid) {
			h = second
		}
	}
	if h == nil {
		return nil, firstErr
	}
	if info.Size() < h.size {
		return nil, fmt.Errorf("%w: %d bytes of %d are there", ErrDamaged, info.Size(), h.size)
	}
	return h, nil
}

// readMeta reads the meta record of the page at an offset: ErrForeign if there
// is none, ErrDamaged if it is not whole.
func readMeta(f *os.File, page int64) (*header, int64, error) {
	var b [metaOffset + metaSize]byte
	if _, err := f.ReadAt(b[:], page); err != nil && err != io.EOF {
		return nil, 0, err
	}
	if bytes.HasPrefix(b[:], sqliteMagic) {
		return nil, 0, fmt.Errorf("%w: %w", ErrForeign, errSQLite)
	}
	m := b[metaOffset:]
	le := binary.LittleEndian
	if le.Uint32(m) != metaMagic {
		return nil, 0, ErrForeign
	}
	sum := fnv.New64a()
	sum.Write(m[:metaSize-8])
	if le.Uint32(m[4:]) != metaVersion || sum.Sum64() != le.Uint64(m[metaSize-8:]) {
		return nil, 0, ErrDamaged
	}
	size := int64(le.Uint32(m[8:]))
	pages := le.Uint64(m[40:])
	if pages > 1<<48/uint64(size+1) {
		return nil, 0, ErrDamaged
	}
	return &header{
		page: size,
		size: int64(pages) * size,
		root: le.Uint64(m[16:]),
		free: le.Uint64(m[32:]),
		txid: le.Uint64(m[48:]),
	}, size, nil
}
