package vaulttest

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/cortex-auth/cortex/vault/proof"
)

// NewKey returns a key pair, as agents and their daemons have.
func NewKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// Public returns the public half of a key, as it is sent.
func Public(key ed25519.PrivateKey) string {
	return proof.EncodeKey(key.Public().(ed25519.PublicKey))
}
