package keyring

import (
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cortex-auth/cortex/vault/locked"
)

// A KEK is the key under which a vault's other keys are wrapped. It lies in
// locked memory only, and is safe for concurrent use.
type KEK struct {
	mu      sync.RWMutex // held for reading while in use, for writing by Destroy
	version uint32
	key     *locked.Buffer
	aead    *locked.AEAD
}

// NewKEK makes a new random KEK. Versions number the KEKs of one vault.
func NewKEK(version uint32) (*KEK, error) {
	key, err := locked.NewRandom(KEKSize)
	if err != nil {
		return nil, err
	}
	return newKEK(version, key)
}

// newKEK returns the KEK with the given bytes, of which it takes ownership.
func newKEK(version uint32, key *locked.Buffer) (*KEK, error) {
	aead, err := locked.NewAEAD(key)
	if err != nil {
		key.Destroy()
		return nil, err
	}
	return &KEK{version: version, key: key, aead: aead}, nil
}

// Version returns the number the KEK was made with.
func (k *KEK) Version() uint32 { return k.version }

// Destroy waits for the uses under way and wipes the key. Everything asked of
// it afterwards is ErrDestroyed. Doing it again does nothing.
func (k *KEK) Destroy() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.aead.Destroy()
	k.key.Destroy()
	k.key = nil
}

// use runs fn while the key is there.
func (k *KEK) use(fn func() error) error {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if k.key == nil {
		return ErrDestroyed
	}
	return fn()
}

// with runs fn with the cipher of the key while that is there: see
// [locked.AEAD.With].
func (k *KEK) with(fn func(cipher.AEAD) error) error {
	return k.use(func() error { return k.aead.With(fn) })
}

// SealBytes encrypts plaintext under the KEK itself and returns nonce ‖
// ciphertext. It is meant for a vault's few long-lived keys. use says what the
// plaintext is, in lower-case letters, digits and hyphens; it panics on others,
// and on slot, dek and body, which are taken.
func (k *KEK) SealBytes(use string, l Label, plaintext []byte) ([]byte, error) {
	mustFree(use)
	if err := l.check(); err != nil {
		return nil, err
	}
	out := make([]byte, nonceSize, nonceSize+len(plaintext)+overhead)
	rand.Read(out)
	err := k.use(func() error {
		out = k.aead.Seal(out, out[:nonceSize], plaintext, l.appendAAD(nil, use))
		return nil
	})
	return out, err
}

// OpenBytes decrypts what SealBytes returned for the same use and label. It
// returns ErrOpen for anything else. The caller wipes what it gets.
func (k *KEK) OpenBytes(use string, l Label, sealed []byte) ([]byte, error) {
	mustFree(use)
	if len(sealed) < nonceSize+overhead || l.check() != nil {
		return nil, ErrOpen
	}
	var plaintext []byte
	err := k.use(func() (err error) {
		plaintext, err = k.aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], l.appendAAD(nil, use))
		if err != nil {
			return ErrOpen
		}
		return nil
	})
	return plaintext, err
}

// mustFree panics unless use is a good one and not the package's own.
func mustFree(use string) {
	mustUse(use)
	switch use {
	case useSlot, useDEK, useBody, kindRecovery:
		panic("keyring: use of a key is taken: " + use)
	}
}

// Derive returns a key of 32 bytes for the use that label names, in letters as
// those of [KEK.SealBytes]: HKDF-Expand with SHA-256 (RFC 5869) from the KEK,
// with "cortex/1/" label as info. The caller owns the buffer.
func (k *KEK) Derive(label string) (*locked.Buffer, error) {
	mustUse(label)
	out, err := locked.NewBuffer(KEKSize)
	if err != nil {
		return nil, err
	}
	err = k.use(func() error {
		// One block of output: T(1) = HMAC(key, info ‖ 0x01).
		pads, err := newPads(k.key.Bytes())
		if err != nil {
			return err
		}
		defer pads.Destroy()
		locked.Scrubbed(func() {
			s := newState()
			s.begin(pads.Bytes())
			s.hash.Write([]byte(labelPrefix + label + "\x01"))
			s.finish(pads.Bytes(), out.Bytes())
			s.wipe()
		})
		return nil
	})
	if err != nil {
		out.Destroy()
		return nil, err
	}
	return out, nil
}

// Format writes the version and nothing else.
func (k *KEK) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[KEK %d]", k.version) }

// LogValue returns the version and nothing else.
func (k *KEK) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(k)) }
