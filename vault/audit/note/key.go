package note

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
)

// algorithm is the signed-note byte for Ed25519.
const algorithm = "\x01"

// hashSize is the length of a key's hash.
const hashSize = 4

// A Key verifies the notes of one vault.
type Key struct {
	// VaultID is the vault's id.
	VaultID string
	// Public is the vault's public key for notes.
	Public ed25519.PublicKey
}

func (k Key) name() string { return origin + k.VaultID }

// hash returns what a signature says of the key that made it:
//
//	SHA-256(name ‖ "\n" ‖ 0x01 ‖ public key), its first 4 bytes
func (k Key) hash() [hashSize]byte {
	sum := sha256.Sum256(append([]byte(k.name()+"\n"+algorithm), k.Public...))
	return [hashSize]byte(sum[:])
}

// String returns the key as other programs take it,
// "<name>+<hash in hex>+<base64 of 0x01 ‖ public key>".
func (k Key) String() string {
	hash := k.hash()
	public := base64.StdEncoding.EncodeToString(append([]byte(algorithm), k.Public...))
	return k.name() + "+" + hex.EncodeToString(hash[:]) + "+" + public
}

// ParseKey parses what String returned, and nothing else. Any error is
// ErrMalformed.
func ParseKey(s string) (Key, error) {
	parts := strings.SplitN(s, "+", 3)
	if len(parts) != 3 {
		return Key{}, fmt.Errorf("%w: not a verifier key", ErrMalformed)
	}
	id, ours := strings.CutPrefix(parts[0], origin)
	public, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || !ours || checkVaultID(id) != nil || len(public) != 1+ed25519.PublicKeySize {
		return Key{}, fmt.Errorf("%w: not a verifier key for audit heads", ErrMalformed)
	}
	k := Key{id, public[1:]}
	if k.String() != s {
		return Key{}, fmt.Errorf("%w: verifier key was mistyped", ErrMalformed)
	}
	return k, nil
}

// Verify returns nil if k signed n, else ErrNotSigned. Signatures of other keys
// do not matter; one of k that is wrong does, even beside a good one.
func (n Note) Verify(k Key) error {
	if n.VaultID != k.VaultID {
		return fmt.Errorf("%w: it is about vault %s, the key is of vault %s", ErrNotSigned, n.VaultID, k.VaultID)
	}
	hash, signed := k.hash(), false
	for _, s := range n.Signatures {
		if s.Name != k.name() || !bytes.Equal(s.Bytes[:hashSize], hash[:]) {
			continue
		}
		if !ed25519.Verify(k.Public, []byte(n.body()), s.Bytes[hashSize:]) {
			return fmt.Errorf("%w: the signature is wrong", ErrNotSigned)
		}
		signed = true
	}
	if !signed {
		return ErrNotSigned
	}
	return nil
}
