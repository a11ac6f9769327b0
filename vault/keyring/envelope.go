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

	aad := l.appendDEKAAD(make([]byte, 0, aadRoom), k.version)
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
	all, err := k.OpenAll([]Found{{l, e}})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// A Found is an envelope with the place where it was found.
type Found struct {
	Label    Label
	Envelope Envelope
}

// OpenAll is Open for several envelopes, whose contents it returns in their
// order: all or none. It is cheaper than to open one after the other, but
// everything is in memory at the same time.
func (k *KEK) OpenAll(all []Found) ([][]byte, error) {
	deks := make([]byte, KEKSize*len(all))
	defer locked.Wipe(deks)
	if err := k.unwrap(deks, all); err != nil {
		return nil, err
	}
	contents := make([][]byte, 0, len(all))
	for i, f := range all {
		content, err := f.open(deks[KEKSize*i:][:KEKSize])
		if err != nil {
			for _, c := range contents {
				locked.Wipe(c)
			}
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

// unwrap fills deks with the DEKs of envelopes, one behind the other.
func (k *KEK) unwrap(deks []byte, all []Found) error {
	for _, f := range all {
		if err := f.check(k.version); err != nil {
			return err
		}
	}
	return k.with(func(gcm cipher.AEAD) error {
		aad := make([]byte, 0, aadRoom)
		for i, f := range all {
			aad = f.Label.appendDEKAAD(aad[:0], k.version)
			if _, err := gcm.Open(deks[KEKSize*i:][:0], f.Envelope.DEKNonce, f.Envelope.WrappedDEK, aad); err != nil {
				return f.refused()
			}
		}
		return nil
	})
}

// refused says what did not open.
func (f Found) refused() error { return fmt.Errorf("%w: %s %s", ErrOpen, f.Label.Bucket, f.Label.Row) }

// open decrypts the body under its DEK.
func (f Found) open(dek []byte) (content []byte, err error) {
	err = locked.WithAEAD(dek, func(gcm cipher.AEAD) (err error) {
		content, err = gcm.Open(nil, f.Envelope.Nonce, f.Envelope.Body, f.Label.appendAAD(nil, useBody))
		if err != nil {
			return f.refused()
		}
		return nil
	})
	return content, err
}

// check refuses what no KEK of that version can have sealed.
func (f Found) check(version uint32) error {
	if err := f.Envelope.check(); err != nil {
		return err
	}
	if f.Envelope.KEKVersion != version {
		return fmt.Errorf("%w: wrapped by version %d of the KEK, not %d", ErrOpen, f.Envelope.KEKVersion, version)
	}
	if f.Label.check() != nil {
		return ErrOpen
	}
	return nil
}

// check refuses envelopes with parts of impossible sizes.
func (e Envelope) check() error {
	if len(e.DEKNonce) != nonceSize || len(e.WrappedDEK) != wrappedSize || len(e.Nonce) != nonceSize || len(e.Body) < overhead {
		return fmt.Errorf("%w: malformed envelope", ErrOpen)
	}
	return nil
}
