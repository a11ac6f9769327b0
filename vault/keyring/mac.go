package keyring

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"sync"

	"github.com/cortex-auth/cortex/vault/locked"
)

// A MAC is HMAC-SHA256 under a key in locked memory, over messages of several
// parts. It is safe for concurrent use.
//
// crypto/hmac is not used, because it keeps the padded key on the heap for as
// long as it lives. Here the padded key stays in its page, and is hashed anew
// for every message; that is two blocks more.
type MAC struct {
	mu   sync.RWMutex   // held for reading while in use, for writing by Destroy
	pads *locked.Buffer // nil once destroyed
}

// NewMAC returns a MAC under key, of any length up to 64 bytes. It takes
// ownership of key and destroys it, whether it fails or not. It fails only if
// there is no memory to be had.
func NewMAC(key *locked.Buffer) (*MAC, error) {
	defer key.Destroy()
	pads, err := newPads(key.Bytes())
	if err != nil {
		return nil, err
	}
	return &MAC{pads: pads}, nil
}

// Tag returns the HMAC of parts, each behind its length as a big-endian u32,
// so that no two lists of parts have the same tag. It panics after Destroy.
func (m *MAC) Tag(parts ...[]byte) [32]byte {
	return m.tag(func(s *state) {
		for _, p := range parts {
			s.part(p)
		}
	})
}

// RowTag returns the tag of a stored row: of the parts "cortex/1/row", bucket,
// key and value. It panics after Destroy.
func (m *MAC) RowTag(bucket string, key, value []byte) [32]byte {
	return m.tag(func(s *state) {
		s.part(rowLabel)
		s.textPart(bucket)
		s.part(key)
		s.part(value)
	})
}

// rowLabel is the first part under every row tag.
var rowLabel = []byte(labelPrefix + "row")

// Verify reports whether tag is the tag of parts, in time that does not tell
// where they differ. It panics after Destroy.
func (m *MAC) Verify(tag []byte, parts ...[]byte) bool {
	want := m.Tag(parts...)
	return subtle.ConstantTimeCompare(want[:], tag) == 1
}

// Destroy waits for the uses under way and wipes the key. Doing it again does
// nothing.
func (m *MAC) Destroy() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pads.Destroy()
	m.pads = nil
}

// Format writes "[opaque]", whatever the verb.
func (*MAC) Format(f fmt.State, _ rune) { io.WriteString(f, "[opaque]") }

// LogValue returns "[opaque]".
func (*MAC) LogValue() slog.Value { return slog.StringValue("[opaque]") }

// tag computes one HMAC over what write hashes.
func (m *MAC) tag(write func(*state)) (sum [32]byte) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.pads == nil {
		panic("keyring: use of a destroyed MAC")
	}
	s := states.Get().(*state)
	defer states.Put(s)
	defer s.wipe()
	pads := m.pads.Bytes()
	s.begin(pads)
	write(s)
	s.finish(pads, s.out[:])
	return s.out
}

// newPads returns the two blocks that HMAC begins its hashes with (RFC 2104):
// the key, zero-padded, XORed with 0x36 and with 0x5c.
func newPads(key []byte) (*locked.Buffer, error) {
	if len(key) > sha256.BlockSize {
		return nil, fmt.Errorf("keyring: MAC key of %d bytes", len(key))
	}
	b, err := locked.NewBuffer(2 * sha256.BlockSize)
	if err != nil {
		return nil, err
	}
	pads := b.Bytes()
	locked.Scrubbed(func() {
		copy(pads, key)
		copy(pads[sha256.BlockSize:], key)
		for i := range sha256.BlockSize {
			pads[i] ^= 0x36
			pads[sha256.BlockSize+i] ^= 0x5c
		}
	})
	return b, nil
}

// A state is what one HMAC works with. Between uses it holds nothing of the key
// and nothing of a message, which may be a token.
type state struct {
	hash  hash.Hash
	frame [4]byte
	text  []byte
	inner [sha256.Size]byte
	out   [sha256.Size]byte
}

// states are reused by all MACs.
var states = sync.Pool{New: func() any { return newState() }}

func newState() *state { return &state{hash: sha256.New()} }

// begin starts a message.
func (s *state) begin(pads []byte) { s.hash.Write(pads[:sha256.BlockSize]) }

// part hashes p behind its length.
func (s *state) part(p []byte) {
	binary.BigEndian.PutUint32(s.frame[:], uint32(len(p)))
	s.hash.Write(s.frame[:])
	s.hash.Write(p)
}

// textPart is part for a string.
func (s *state) textPart(p string) {
	s.text = append(s.text[:0], p...)
	s.part(s.text)
}

// finish writes the HMAC to out, which is 32 bytes long.
func (s *state) finish(pads, out []byte) {
	s.hash.Sum(s.inner[:0])
	s.hash.Reset()
	s.hash.Write(pads[sha256.BlockSize:])
	s.hash.Write(s.inner[:])
	s.hash.Sum(out[:0])
}

// wipe makes the state ready for the next message and overwrites what is left
// of this one: the hash's chaining value by Reset, its buffer, which whole
// blocks such as the pads bypass, by one byte less than a block.
func (s *state) wipe() {
	s.hash.Reset()
	s.hash.Write(zeros[:])
	s.hash.Reset()
	clear(s.text)
	clear(s.inner[:])
	clear(s.out[:])
}

// zeros is the most that SHA-256 ever buffers.
var zeros [sha256.BlockSize - 1]byte
