package proof

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// ErrFingerprint is returned for a text that is not the fingerprint of a TLS key.
var ErrFingerprint = errors.New("not a fingerprint: want SHA256: and 43 characters of base64")

// A TLSKey is what clients pin of a server: the SHA-256 of its public key, in the
// form that stands in its certificate (SubjectPublicKeyInfo). The zero TLSKey is
// none.
type TLSKey [sha256.Size]byte

// TLSKeyOf returns the key that a certificate is for.
func TLSKeyOf(cert *x509.Certificate) TLSKey { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }

// fingerprint begins every fingerprint.
const fingerprint = "SHA256:"

// ParseTLSKey reads what [TLSKey.String] writes.
func ParseTLSKey(s string) (k TLSKey, err error) {
	text, ok := strings.CutPrefix(s, fingerprint)
	b, err := decodeSized(base64.RawStdEncoding, text, len(k))
	if !ok || err != nil {
		return k, ErrFingerprint
	}
	copy(k[:], b)
	return k, nil
}

// String returns what people compare: "SHA256:" and the hash in standard base64
// without padding.
func (k TLSKey) String() string { return fingerprint + base64.RawStdEncoding.EncodeToString(k[:]) }

// Is reports, in constant time, whether k is the other.
func (k TLSKey) Is(other TLSKey) bool { return subtle.ConstantTimeCompare(k[:], other[:]) == 1 }

// MaxAhead is how far a statement about a server's key may be ahead of the clock
// of whoever makes it or takes it.
const MaxAhead = 300 * time.Second

// A ServerKey is what a vault says about its server, and signs with its identity
// key: which TLS key that has, and when that was so.
type ServerKey struct {
	Vault  ed25519.PublicKey // the identity key
	Issued int64             // Unix seconds; of two statements the later one counts
	Key    TLSKey
}

// Message returns the bytes to sign: server-key|vault|issued|key, with the vault's
// key in URL-safe base64 without padding.
func (s ServerKey) Message() []byte {
	return join("server-key", EncodeKey(s.Vault), number(s.Issued), s.Key.String())
}

// Signed reports whether the vault that s names has signed it.
func (s ServerKey) Signed(signature []byte) bool {
	return len(s.Vault) == ed25519.PublicKeySize && ed25519.Verify(s.Vault, s.Message(), signature)
}
