package keyring

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// kindRecovery is the kind of a slot that opens with a random secret, which was
// given away in shares.
const kindRecovery = "recovery"

// RecoverySize is the size of the secret of a recovery slot, in bytes.
const RecoverySize = 32

// IsRecovery reports whether a slot opens with a recovery secret, and not with a
// password.
func (s Slot) IsRecovery() bool { return s.Kind == kindRecovery }

// SealRecoverySlot wraps the KEK under a new random secret in a new slot of the
// vault, and returns both. The secret has [RecoverySize] bytes and is nowhere
// else; the caller gives it away and wipes it.
func (k *KEK) SealRecoverySlot(vaultID string) (Slot, opaque.Bytes, error) {
	random := make([]byte, 16+saltSize+nonceSize)
	rand.Read(random)
	s := Slot{
		ID: hex.EncodeToString(random[:16]), Kind: kindRecovery, VaultID: vaultID, KEKVersion: k.version,
		Salt: random[16:32:32], Nonce: random[32:],
	}
	if err := s.label().check(); err != nil {
		return Slot{}, opaque.Bytes{}, err
	}
	secret := make([]byte, RecoverySize)
	rand.Read(secret)
	key, err := s.recoveryKey(secret)
	if err == nil {
		s.Wrapped, err = s.wrap(key, k)
	}
	if err != nil {
		locked.Wipe(secret)
		return Slot{}, opaque.Bytes{}, err
	}
	return s, opaque.New(secret), nil
}

// OpenRecoverySlot unwraps the KEK with the secret of a recovery slot. It returns
// ErrSlot for a slot of another kind, and ErrWrongPassword for a secret that does
// not open it.
func OpenRecoverySlot(s Slot, secret opaque.Bytes) (*KEK, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	if s.Kind != kindRecovery {
		return nil, ErrSlot
	}
	if secret.Len() != RecoverySize {
		return nil, ErrWrongPassword
	}
	return s.unwrap(func() ([]byte, error) { return s.recoveryKey(secret.Reveal()) })
}

// recoveryKey returns the key that a recovery secret makes: HKDF with SHA-256
// (RFC 5869) from the secret and the slot's salt, with "cortex/1/recovery" as
// info. The caller wipes it.
func (s Slot) recoveryKey(secret []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, secret, s.Salt, labelPrefix+kindRecovery, KEKSize)
}
