package locked

import (
	"crypto/ed25519"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"sync"
	"unsafe"

	"filippo.io/edwards25519"
)

// A Signer is an Ed25519 private key (RFC 8032) in locked memory. It may be
// used concurrently.
//
// crypto/ed25519 is not used to sign, because it keeps the expanded key of
// every key it has signed with in a cache on the Go heap. Signatures are the
// same to the byte.
type Signer struct {
	mu     sync.RWMutex // held for reading while in use, for writing by Destroy
	seed   *Buffer      // 32 bytes, the private key as it is stored
	secret *Buffer      // holds an expanded; nil once destroyed
	public [ed25519.PublicKeySize]byte
}

// expanded is the private key as it is used. It lies in a page, and holds no
// pointers.
type expanded struct {
	scalar edwards25519.Scalar
	prefix [32]byte
}

// key returns the expanded key, in its page.
func (s *Signer) key() *expanded {
	return (*expanded)(unsafe.Pointer(unsafe.SliceData(s.secret.Bytes())))
}

// GenerateSigner makes a new private key.
func GenerateSigner() (*Signer, error) {
	seed, err := NewRandom(ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	return NewSigner(seed)
}

// NewSigner returns the private key that grows from a 32-byte seed. It takes
// ownership of the seed, and destroys it if it fails.
func NewSigner(seed *Buffer) (*Signer, error) {
	if n := len(seed.Bytes()); n != ed25519.SeedSize {
		seed.Destroy()
		return nil, fmt.Errorf("locked: Ed25519 seed of %d bytes", n)
	}
	if !pointerFree(reflect.TypeFor[expanded]()) {
		seed.Destroy()
		return nil, errors.New("locked: unknown implementation of edwards25519")
	}
	secret, err := NewBuffer(int(unsafe.Sizeof(expanded{})))
	if err != nil {
		seed.Destroy()
		return nil, err
	}
	s := &Signer{seed: seed, secret: secret}
	Scrubbed(s.expand)
	return s, nil
}

// expand derives scalar, prefix and public key from the seed, RFC 8032,
// section 5.1.5.
func (s *Signer) expand() {
	key := s.key()
	var sum [sha512.Size]byte
	defer Wipe(sum[:])
	h := sha512.New()
	defer wipeHash(h)
	h.Write(s.seed.Bytes())
	h.Sum(sum[:0])

	if _, err := key.scalar.SetBytesWithClamping(sum[:32]); err != nil {
		panic("locked: clamping: " + err.Error()) // unreachable
	}
	copy(key.prefix[:], sum[32:])
	copy(s.public[:], new(edwards25519.Point).ScalarBaseMult(&key.scalar).Bytes())
}

// Public returns the public key. It also works after Destroy.
func (s *Signer) Public() ed25519.PublicKey {
	return append(ed25519.PublicKey(nil), s.public[:]...)
}

// Seed returns the 32-byte seed, for sealing it or writing it to a key file.
// It still belongs to s.
func (s *Signer) Seed() *Buffer { return s.seed }

// Sign returns the 64-byte signature of message. Its one error is
// ErrDestroyed.
func (s *Signer) Sign(message []byte) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.secret == nil {
		return nil, ErrDestroyed
	}
	signature := make([]byte, 0, ed25519.SignatureSize)
	Scrubbed(func() { signature = s.sign(signature, message) })
	return signature, nil
}

// sign appends the signature of message to dst, RFC 8032, section 5.1.6.
func (s *Signer) sign(dst, message []byte) []byte {
	key := s.key()
	var nonce, challenge edwards25519.Scalar
	setHash(&nonce, key.prefix[:], message)
	point := new(edwards25519.Point).ScalarBaseMult(&nonce).Bytes()
	setHash(&challenge, point, s.public[:], message)

	dst = append(dst, point...)
	// The nonce, from which the key could be computed, becomes the signature.
	return append(dst, nonce.MultiplyAdd(&challenge, &key.scalar, &nonce).Bytes()...)
}

// setHash sets scalar to the SHA-512 of parts modulo the group order.
func setHash(scalar *edwards25519.Scalar, parts ...[]byte) {
	var sum [sha512.Size]byte
	h := sha512.New()
	defer wipeHash(h)
	for _, p := range parts {
		h.Write(p)
	}
	h.Sum(sum[:0])
	defer Wipe(sum[:])
	if _, err := scalar.SetUniformBytes(sum[:]); err != nil {
		panic("locked: reducing: " + err.Error()) // unreachable
	}
}

// Destroy waits for the signatures under way and wipes the key, its seed
// included. Doing it again does nothing.
func (s *Signer) Destroy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seed.Destroy()
	s.secret.Destroy()
	s.secret = nil
}

// Format writes "[opaque]", whatever the verb.
func (*Signer) Format(f fmt.State, _ rune) { io.WriteString(f, placeholder) }

// LogValue returns "[opaque]".
func (*Signer) LogValue() slog.Value { return slog.StringValue(placeholder) }
