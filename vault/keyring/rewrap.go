package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"fmt"

	"github.com/cortex-auth/cortex/vault/locked"
)

// WrapSize is the size of the key of an envelope as it lies in a file by itself:
//
//	version of the KEK, u32 big-endian │ nonce, 12 │ DEK under the KEK, 48
const WrapSize = 4 + nonceSize + wrappedSize

// A Wrap is such a key, with the place where it was found.
type Wrap struct {
	Label Label
	Bytes []byte
}

// Wrap returns the key of an envelope.
func (e Envelope) Wrap() []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, WrapSize), e.KEKVersion)
	return append(append(b, e.DEKNonce...), e.WrappedDEK...)
}

// WithWrap returns the envelope with another key, which it shares. It returns
// ErrOpen for what is none.
func (e Envelope) WithWrap(wrap []byte) (Envelope, error) {
	if len(wrap) != WrapSize {
		return Envelope{}, fmt.Errorf("%w: malformed wrap", ErrOpen)
	}
	e.KEKVersion, e.DEKNonce, e.WrappedDEK = WrapVersion(wrap), wrapNonce(wrap), wrapped(wrap)
	return e, nil
}

// WrapVersion returns the version of the KEK that a key is wrapped by, 0 if it is
// malformed.
func WrapVersion(wrap []byte) uint32 {
	if len(wrap) != WrapSize {
		return 0
	}
	return binary.BigEndian.Uint32(wrap)
}

func wrapNonce(wrap []byte) []byte { return wrap[4:][:nonceSize:nonceSize] }
func wrapped(wrap []byte) []byte   { return wrap[4+nonceSize:] }

// Rewrap wraps the keys of envelopes under another KEK, and returns them in their
// order. In the place of one that was not wrapped in its place by k it returns nil.
func (k *KEK) Rewrap(all []Wrap, next *KEK) ([][]byte, error) {
	room := make([]byte, KEKSize*len(all))
	defer locked.Wipe(room)
	deks, err := k.openWraps(all, room)
	if err != nil {
		return nil, err
	}
	return next.wrap(deks, all)
}

// openWraps opens wraps into room that is large enough. What does not open is nil.
func (k *KEK) openWraps(all []Wrap, room []byte) ([][]byte, error) {
	deks := make([][]byte, len(all))
	err := k.with(func(gcm cipher.AEAD) error {
		aad := make([]byte, 0, aadRoom)
		for i, w := range all {
			if WrapVersion(w.Bytes) != k.version || w.Label.check() != nil {
				continue
			}
			aad = w.Label.appendDEKAAD(aad[:0], k.version)
			if dek, err := gcm.Open(room[KEKSize*i:][:0], wrapNonce(w.Bytes), wrapped(w.Bytes), aad); err == nil {
				deks[i] = dek
			}
		}
		return nil
	})
	return deks, err
}

// wrap wraps DEKs for the places of others, and passes over those that are nil.
func (k *KEK) wrap(deks [][]byte, places []Wrap) ([][]byte, error) {
	out := make([][]byte, len(places))
	room := make([]byte, WrapSize*len(places))
	rand.Read(room) // the nonces; the rest is written over
	err := k.with(func(gcm cipher.AEAD) error {
		aad := make([]byte, 0, aadRoom)
		for i, p := range places {
			if deks[i] == nil {
				continue
			}
			b := room[WrapSize*i:][:WrapSize:WrapSize]
			binary.BigEndian.PutUint32(b, k.version)
			aad = p.Label.appendDEKAAD(aad[:0], k.version)
			gcm.Seal(wrapped(b)[:0], wrapNonce(b), deks[i], aad)
			out[i] = b
		}
		return nil
	})
	return out, err
}

// useOldKEK says that the plaintext is the KEK before this one.
const useOldKEK = "old-kek"

// SealOld encrypts another KEK of the vault, the one before k, under k.
func (k *KEK) SealOld(l Label, old *KEK) (sealed []byte, err error) {
	err = old.use(func() error {
		sealed, err = k.SealBytes(useOldKEK, l, old.key.Bytes())
		return err
	})
	return sealed, err
}

// OpenOld decrypts what SealOld returned for the same label, into locked memory.
// version is that of the other KEK.
func (k *KEK) OpenOld(l Label, sealed []byte, version uint32) (*KEK, error) {
	plain, err := k.OpenBytes(useOldKEK, l, sealed)
	if err != nil {
		return nil, err
	}
	defer locked.Wipe(plain)
	if len(plain) != KEKSize {
		return nil, ErrOpen
	}
	key, err := locked.Copy(plain)
	if err != nil {
		return nil, err
	}
	return newKEK(version, key)
}
