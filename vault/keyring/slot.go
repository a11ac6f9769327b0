package keyring

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A Slot holds a KEK wrapped under a password, or under a secret that was given
// away in shares. Every field is authenticated by
// opening it.
type Slot struct {
	// ID is the slot's own random id, 32 hex digits.
	ID string `cbor:"1,keyasint"`
	// Kind is the kind of root of trust: "password" or "recovery".
	Kind string `cbor:"2,keyasint"`
	// VaultID is the id of the vault.
	VaultID string `cbor:"3,keyasint"`
	// KEKVersion is the version of the KEK.
	KEKVersion uint32 `cbor:"4,keyasint"`
	// Params is the cost of the derivation; zero for a recovery slot.
	Params Params `cbor:"5,keyasint"`
	// Salt is the salt of the derivation, 16 bytes.
	Salt []byte `cbor:"6,keyasint"`
	// Nonce is the nonce of Wrapped, 12 bytes.
	Nonce []byte `cbor:"7,keyasint"`
	// Wrapped is the KEK under the derived key, 48 bytes.
	Wrapped []byte `cbor:"8,keyasint"`
}

// kindPassword is the kind of a slot that opens with a password.
const kindPassword = "password"

// saltSize is the size of a slot's salt.
const saltSize = 16

// SealSlot wraps the KEK under a password in a new slot of the vault. It takes
// the time and memory that p says, and waits for derivations under way.
func (k *KEK) SealSlot(ctx context.Context, vaultID string, password opaque.Bytes, p Params) (Slot, error) {
	random := make([]byte, 16+saltSize+nonceSize)
	rand.Read(random)
	s := Slot{
		ID: hex.EncodeToString(random[:16]), Kind: kindPassword, VaultID: vaultID, KEKVersion: k.version,
		Params: p, Salt: random[16:32:32], Nonce: random[32:],
	}
	if err := s.label().check(); err != nil {
		return Slot{}, err
	}
	key, err := p.derive(ctx, password, s.Salt)
	if err != nil {
		return Slot{}, err
	}
	if s.Wrapped, err = s.wrap(key, k); err != nil {
		return Slot{}, err
	}
	return s, nil
}

// OpenSlot unwraps the KEK, from the slot into locked memory. It returns
// ErrSlot or ErrParams, without any derivation, for a slot that this package
// would not write, and ErrWrongPassword for a password that does not open it.
func OpenSlot(ctx context.Context, s Slot, password opaque.Bytes) (*KEK, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Kind != kindPassword {
		return nil, ErrSlot
	}
	return s.unwrap(func() ([]byte, error) { return s.Params.derive(ctx, password, s.Salt) })
}

// wrap encrypts a KEK for the slot under a key, which it wipes.
func (s Slot) wrap(key []byte, k *KEK) (wrapped []byte, err error) {
	defer locked.Wipe(key)
	err = k.use(func() error {
		return once(key, func(gcm cipher.AEAD) error {
			wrapped = gcm.Seal(nil, s.Nonce, k.key.Bytes(), s.aad())
			return nil
		})
	})
	return wrapped, err
}

// unwrap decrypts the KEK into locked memory, there before the key is made. It
// wipes that. The wrong key is ErrWrongPassword.
func (s Slot) unwrap(makeKey func() ([]byte, error)) (*KEK, error) {
	out, err := locked.NewBuffer(KEKSize)
	if err != nil {
		return nil, err
	}
	key, err := makeKey()
	if err != nil {
		out.Destroy()
		return nil, err
	}
	defer locked.Wipe(key)
	err = once(key, func(gcm cipher.AEAD) error {
		if _, err := gcm.Open(out.Bytes()[:0], s.Nonce, s.Wrapped, s.aad()); err != nil {
			return ErrWrongPassword
		}
		return nil
	})
	if err != nil {
		out.Destroy()
		return nil, err
	}
	return newKEK(s.KEKVersion, out)
}

// once is [locked.WithAEAD] on a stack that is overwritten afterwards: what it
// unwraps lives longer than the key of an envelope.
func once(key []byte, fn func(cipher.AEAD) error) (err error) {
	locked.Scrubbed(func() { err = locked.WithAEAD(key, fn) })
	return err
}

// check refuses slots that SealSlot would not write.
func (s Slot) check() error {
	switch {
	case s.Kind != kindPassword && s.Kind != kindRecovery:
		return fmt.Errorf("%w: kind %q", ErrSlot, s.Kind)
	case len(s.Salt) != saltSize || len(s.Nonce) != nonceSize || len(s.Wrapped) != wrappedSize:
		return fmt.Errorf("%w: a field of the wrong size", ErrSlot)
	case s.label().check() != nil:
		return fmt.Errorf("%w: an id too long", ErrSlot)
	}
	if s.Kind == kindRecovery {
		if s.Params != (Params{}) {
			return fmt.Errorf("%w: a recovery slot costs nothing", ErrSlot)
		}
		return nil
	}
	return s.Params.Validate()
}

// label returns the place of the slot.
func (s Slot) label() Label {
	return Label{VaultID: s.VaultID, Bucket: "slot", Row: s.ID, Version: uint64(s.KEKVersion)}
}

// aad returns the associated data of Wrapped; see [Label.appendAAD].
func (s Slot) aad() []byte {
	b := s.label().appendAAD(nil, useSlot)
	b = appendField(b, s.Kind)
	b = appendNumber(b, s.Params.Memory)
	b = appendNumber(b, s.Params.Time)
	return appendNumber(b, uint32(s.Params.Threads))
}
