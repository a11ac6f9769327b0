package token

import (
	"crypto/ed25519"

	"github.com/cortex-auth/cortex/vault/proof"
)

// A Key is a public signing key and its id.
type Key struct {
	ID     string
	Public ed25519.PublicKey
}

// A JWK is one public key as RFC 8037 writes it.
type JWK struct {
	KTY string `json:"kty"`
	CRV string `json:"crv"`
	KID string `json:"kid"`
	X   string `json:"x"`
	Alg string `json:"alg"`
}

// A Set is the answer of GET /.well-known/jwks.json.
type Set struct {
	Keys []JWK `json:"keys"`
}

// JWKS returns the key set of keys, in their order (newest first, by custom).
func JWKS(keys []Key) Set {
	set := Set{Keys: make([]JWK, 0, len(keys))}
	for _, k := range keys {
		set.Keys = append(set.Keys, JWK{KTY: "OKP", CRV: "Ed25519", KID: k.ID, X: proof.EncodeKey(k.Public), Alg: "EdDSA"})
	}
	return set
}
