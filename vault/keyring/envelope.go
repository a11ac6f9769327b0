package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"

	"github.com/cortex-auth/cortex/vault/locked"
)

// The package's own uses of keys; see appendAAD.
const (
	useSlot = "slot"
	useDEK  = "dek"
	useBody = "body"
)

// An Envelope is a sealed row version: its content under a key of its own, the
// DEK, and the DEK under a KEK. Rotating the KEK re-wraps the DEK and leaves
// the body alone.
type Envelope struct {
	// KEKVersion is the version of the KEK.
	KEKVersion uint32 `cbor:"1,keyasint"`
	// DEKNonce is the nonce of WrappedDEK, 12 bytes.
	DEKNonce []byte `cbor:"2,keyasint"`
	// WrappedDEK is the DEK under the KEK, 48 bytes.
	WrappedDEK []byte `cbor:"3,keyasint"`
	// Nonce is the nonce of Body, 12 bytes.
	Nonce []byte `cbor:"4,keyasint"`
	// Body is the content under the DEK, 16 bytes longer than it.
	Body []byte `cbor:"5,keyasint"`
}

// wrappedSize is the size of a wrapped key.
const wrappedSize = KEKSize + overhead

// Seal encrypts plaintext for the place that l names, under a new DEK.
func (k *KEK) Seal(l Label, plaintext []byte) (Envelope, error) {
	if err := l.check(); err != nil {
		return Envelope{}, err
	}
	// One allocation and one read of randomness for everything but the body.
	buf := make([]byte, KEKSize+2*nonceSize, KEKSize+2*nonceSize+wrappedSize)
	rand.Read(buf)
	dek, dekNonce, nonce := buf[:KEKSize:KEKSize], buf[KEKSize:][:nonceSize:nonceSize], buf[KEKSize+nonceSize:][:nonceSize:nonceSize]
	defer locked.Wipe(dek)
	e := Envelope{KEKVersion: k.version, DEKNonce: dekNonce, Nonce: nonce}

	aad := l.dekAAD(k.version)
	err := k.use(func() error {
		e.WrappedDEK = k.aead.Seal(buf[len(buf):], dekNonce, dek, aad)
		return nil
	})
	if err != nil {
		return Envelope{}, err
	}
	aad = l.appendAAD(aad[:0], useBody)
	err = locked.WithAEAD(dek, func(gcm cipher.AEAD) error {
		e.Body = gcm.Seal(nil, nonce, plaintext, aad)
		return nil
	})
	return e, err
}

// Open decrypts an envelope found at the place that l names. It returns ErrOpen
// if the envelope was not sealed there, by this KEK, and as it is. The caller
// wipes what it gets.
func (k *KEK) Open(l Label, e Envelope) ([]byte, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	if e.KEKVersion != k.version {
		return nil, fmt.Errorf("%w: wrapped by version %d of the KEK, not %d", ErrOpen, e.KEKVersion, k.version)
	}
	if l.check() != nil {
		return nil, ErrOpen
	}
	dek := make([]byte, 0, KEKSize)
	defer locked.Wipe(dek[:KEKSize])
	aad := l.dekAAD(e.KEKVersion)
	err := k.use(func() (err error) {
		if dek, err = k.aead.Open(dek, e.DEKNonce, e.WrappedDEK, aad); err != nil {
			return ErrOpen
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var plaintext []byte
	aad = l.appendAAD(aad[:0], useBody)
	err = locked.WithAEAD(dek, func(gcm cipher.AEAD) (err error) {
		if plaintext, err = gcm.Open(nil, e.Nonce, e.Body, aad); err != nil {
			return ErrOpen
		}
		return nil
	})
	return plaintext, err
}

// dekAAD returns the associated data of a wrapped DEK, with room for that of
// the body in its place.
func (l Label) dekAAD(version uint32) []byte {
	b := make([]byte, 0, len(labelPrefix)+40+len(l.VaultID)+len(l.Bucket)+len(l.Row))
	return appendNumber(l.appendAAD(b, useDEK), version)
}

// check refuses envelopes with parts of impossible sizes.
func (e Envelope) check() error {
	if len(e.DEKNonce) != nonceSize || len(e.WrappedDEK) != wrappedSize || len(e.Nonce) != nonceSize || len(e.Body) < overhead {
		return fmt.Errorf("%w: malformed envelope", ErrOpen)
	}
	return nil
}
