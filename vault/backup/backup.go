// Package backup is the form in which a copy of a vault's file travels: a
// header that says what it is, the file, and a checksum over both.
//
// The file is encrypted as it stands, so a backup is as secret as the vault's
// password is good. The checksum shows accidents; whoever changes a backup on
// purpose can make it anew, and is caught by the tags and the audit trail
// inside.
package backup

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"time"
)

// Type is the media type of a backup.
const Type = "application/vnd.cortex.backup"

// A backup is
//
//	magic, 8 bytes │ version u32 │ length of the header u32 │ header │ file │ SHA-256 of all before
//
// and its header, in this order, numbers big-endian and texts framed by u32
// lengths:
//
//	vault id │ time u64, Unix nanoseconds │ schema u32 │ audit head │ length of the file u64
const (
	magic   = "CORTEXBK"
	version = 1

	maxHeader  = 4096
	maxVaultID = 128
	maxHead    = 2048
	// MaxSize is the longest file a backup may hold, in bytes.
	MaxSize = 1 << 46
)

// What can be wrong with a backup.
var (
	// ErrForeign: it is something else.
	ErrForeign = errors.New("not a backup of a cortex vault")
	// ErrNewer: a newer version made it.
	ErrNewer = errors.New("made by a newer version")
	// ErrDamaged: it is cut short, too long, or not what it was.
	ErrDamaged = errors.New("the backup is damaged")
)

// A Header says what a backup is of.
type Header struct {
	// VaultID is the vault's.
	VaultID string
	// Time is when the copy was made, to the nanosecond.
	Time time.Time
	// Schema is the version of the file.
	Schema uint32
	// Head is the end of the audit trail in the file, as it stands there.
	Head []byte
	// Size is the length of the file, in bytes.
	Size uint64
}

func (h Header) check() error {
	if h.VaultID == "" || len(h.VaultID) > maxVaultID || len(h.Head) > maxHead || h.Size > MaxSize || h.Time.UnixNano() < 0 {
		return fmt.Errorf("%w: its header makes no sense", ErrDamaged)
	}
	return nil
}

// marshal returns everything before the file.
func (h Header) marshal() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	be := binary.BigEndian
	var b []byte
	b = be.AppendUint32(b, uint32(len(h.VaultID)))
	b = append(b, h.VaultID...)
	b = be.AppendUint64(b, uint64(h.Time.UnixNano()))
	b = be.AppendUint32(b, h.Schema)
	b = be.AppendUint32(b, uint32(len(h.Head)))
	b = append(b, h.Head...)
	b = be.AppendUint64(b, h.Size)
	out := be.AppendUint32([]byte(magic), version)
	return append(be.AppendUint32(out, uint32(len(b))), b...), nil
}

// readHeader reads everything before the file.
func readHeader(r io.Reader) (Header, error) {
	var start [len(magic) + 8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return Header{}, cut(err, ErrForeign)
	}
	be := binary.BigEndian
	if string(start[:len(magic)]) != magic {
		return Header{}, ErrForeign
	}
	if v := be.Uint32(start[len(magic):]); v != version {
		return Header{}, fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, v, version)
	}
	n := be.Uint32(start[len(magic)+4:])
	if n > maxHeader {
		return Header{}, ErrDamaged
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return Header{}, cut(err, ErrDamaged)
	}
	return parseHeader(b)
}

func parseHeader(b []byte) (h Header, err error) {
	f := fields{b: b}
	h.VaultID = string(f.framed())
	nanos := f.u64()
	h.Schema = f.u32()
	h.Head = bytes.Clone(f.framed())
	h.Size = f.u64()
	if f.short || len(f.b) > 0 || nanos > 1<<63-1 {
		return Header{}, fmt.Errorf("%w: its header makes no sense", ErrDamaged)
	}
	h.Time = time.Unix(0, int64(nanos)).UTC()
	return h, h.check()
}

// fields takes a header apart. Once it is too short everything is zero.
type fields struct {
	b     []byte
	short bool
}

func (f *fields) take(n uint64) []byte {
	if f.short || uint64(len(f.b)) < n {
		f.short = true
		return nil
	}
	out := f.b[:n]
	f.b = f.b[n:]
	return out
}

func (f *fields) u32() uint32 {
	if b := f.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (f *fields) u64() uint64 {
	if b := f.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (f *fields) framed() []byte { return f.take(uint64(f.u32())) }

// Write writes a backup of a file of h.Size bytes.
func Write(w io.Writer, h Header, file io.Reader) error {
	start, err := h.marshal()
	if err != nil {
		return err
	}
	sum := sha256.New()
	out := io.MultiWriter(w, sum)
	if _, err := out.Write(start); err != nil {
		return err
	}
	if _, err := io.CopyN(out, file, int64(h.Size)); err != nil {
		return fmt.Errorf("copying the vault's file: %w", err)
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

// Length returns how long the backup with that header is, in bytes.
func (h Header) Length() (int64, error) {
	start, err := h.marshal()
	return int64(len(start)) + int64(h.Size) + sha256.Size, err
}

// Read reads a whole backup and writes the file in it to w. What it wrote is
// good for nothing if it returns an error: [ErrForeign], [ErrNewer],
// [ErrDamaged], or one of r or w.
func Read(w io.Writer, r io.Reader) (Header, error) {
	sum := sha256.New()
	in := io.TeeReader(r, sum)
	h, err := readHeader(in)
	if err != nil {
		return Header{}, err
	}
	if _, err := io.CopyN(w, in, int64(h.Size)); err != nil {
		return Header{}, cut(err, ErrDamaged)
	}
	return h, checkEnd(r, sum)
}

// checkEnd reads the checksum, behind which nothing may follow.
func checkEnd(r io.Reader, sum hash.Hash) error {
	var end [sha256.Size + 1]byte
	n, err := io.ReadFull(r, end[:])
	if err == nil || n != sha256.Size {
		return cut(err, ErrDamaged)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if subtle.ConstantTimeCompare(end[:n], sum.Sum(nil)) != 1 {
		return fmt.Errorf("%w: its checksum is wrong", ErrDamaged)
	}
	return nil
}

// cut calls an early end what it means.
func cut(err, means error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it does not end where it should", means)
	}
	return err
}
