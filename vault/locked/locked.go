// Package locked keeps keys in memory that is never swapped, dumped or moved.
//
// A [Buffer] is a page of its own outside the Go heap. On Linux it comes from
// memfd_secret where the kernel offers it, memory that not even root can read
// through /proc or ptrace; everywhere else it is an anonymous mapping. It is
// locked, left out of core dumps, not inherited by a fork, and overwritten
// when it is destroyed. What could not be had is not an error but is told by
// [Status], because a vault on a host with a tight RLIMIT_MEMLOCK must run,
// and its operator must know.
//
// A key that is only read through copies on the heap gains nothing from this,
// so the package also holds the two users of long-lived keys whose standard
// implementations make such copies: [AEAD] is AES-256-GCM whose expanded key
// lies in such a page, and [Signer] an Ed25519 private key that does. Both work
// on a stack that is overwritten afterwards, and without being interrupted by
// signals, through which registers get into memory; see [Scrubbed].
//
// This is the only package of the program that uses package unsafe.
package locked

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
)

// ErrDestroyed is returned by what was asked of a destroyed key.
var ErrDestroyed = errors.New("key has been destroyed")

// placeholder is what is shown in place of a key.
const placeholder = "[opaque]"

// errEncode answers every encoder: a key has its own sealed form or none.
var errEncode = errors.New("locked: refusing to encode a key")

// A Buffer is a piece of locked memory of fixed size and address. It is made
// by [NewBuffer], and its memory is held until [Buffer.Destroy]. A Buffer that
// is merely dropped keeps its page until the process ends.
//
// Its methods may be called concurrently, except that nobody may still use
// what Bytes returned when Destroy is called.
type Buffer struct {
	mu sync.Mutex // guards reveal
	// A func, so that package fmt cannot reach the bytes by reflection; nil
	// once destroyed.
	reveal func() (page, content []byte)
}

// NewBuffer returns a zeroed buffer of n bytes, n being at least 1. It fails
// only if the system has no memory to map.
func NewBuffer(n int) (*Buffer, error) {
	if n < 1 {
		return nil, fmt.Errorf("locked: buffer of %d bytes", n)
	}
	page, err := mapPage(n)
	if err != nil {
		return nil, fmt.Errorf("mapping memory for a key: %w", err)
	}
	return &Buffer{reveal: func() (_, _ []byte) { return page, page[:n:n] }}, nil
}

// NewRandom returns a buffer of n random bytes, that is to say, a new key.
func NewRandom(n int) (*Buffer, error) {
	b, err := NewBuffer(n)
	if err != nil {
		return nil, err
	}
	Scrubbed(func() { rand.Read(b.Bytes()) })
	return b, nil
}

// Copy returns a buffer with the bytes of b, of which there is at least one. The
// caller wipes b.
func Copy(b []byte) (*Buffer, error) {
	buf, err := NewBuffer(len(b))
	if err != nil {
		return nil, err
	}
	Scrubbed(func() { copy(buf.Bytes(), b) })
	return buf, nil
}

// Bytes returns the memory itself. The slice must not be used after Destroy:
// the memory is gone then, and touching it ends the process. Bytes panics if
// Destroy has been called before.
func (b *Buffer) Bytes() []byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reveal == nil {
		panic("locked: use of a destroyed buffer")
	}
	_, content := b.reveal()
	return content
}

// shrink makes the buffer end after n bytes, which must not exceed its size.
func (b *Buffer) shrink(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	page, content := b.reveal()
	content = content[:n:n]
	b.reveal = func() (_, _ []byte) { return page, content }
}

// Destroy overwrites the memory with zeros and gives it back. Doing it again
// does nothing, nor does destroying a nil Buffer.
func (b *Buffer) Destroy() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.reveal == nil {
		return
	}
	page, _ := b.reveal()
	b.reveal = nil
	Wipe(page)
	unmapPage(page)
}

// Format writes "[opaque]", whatever the verb.
func (*Buffer) Format(f fmt.State, _ rune) { io.WriteString(f, placeholder) }

// LogValue returns "[opaque]".
func (*Buffer) LogValue() slog.Value { return slog.StringValue(placeholder) }

// MarshalText returns "[opaque]".
func (*Buffer) MarshalText() ([]byte, error) { return []byte(placeholder), nil }

// MarshalBinary always fails.
func (*Buffer) MarshalBinary() ([]byte, error) { return nil, errEncode }
