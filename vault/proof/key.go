package proof

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"filippo.io/edwards25519"
)

// ErrKey is returned for a public key that is not 32 bytes in an accepted
// base64 form, or whose bytes are not the canonical encoding of a point of
// large order.
var ErrKey = errors.New("not an Ed25519 public key in base64")

// ErrSignature is returned for a signature that is not 64 bytes in an
// accepted base64 form.
var ErrSignature = errors.New("not an Ed25519 signature in base64")

// DecodeKey reads an agent's public key: URL-safe base64 without padding, or
// standard base64 with padding.
func DecodeKey(s string) (ed25519.PublicKey, error) {
	b, err := decodeEither(s, ed25519.PublicKeySize)
	if err != nil {
		return nil, ErrKey
	}
	return point(b)
}

// DecodeKeyURL reads a daemon's attestation key: URL-safe base64 without
// padding only.
func DecodeKeyURL(s string) (ed25519.PublicKey, error) {
	b, err := decodeURL(s, ed25519.PublicKeySize)
	if err != nil {
		return nil, ErrKey
	}
	return point(b)
}

// EncodeKey returns the URL-safe base64 form without padding.
func EncodeKey(pub ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(pub) }

// DecodeSignature reads an agent's signature, in either form [DecodeKey] takes.
func DecodeSignature(s string) ([]byte, error) {
	b, err := decodeEither(s, ed25519.SignatureSize)
	if err != nil {
		return nil, ErrSignature
	}
	return b, nil
}

// DecodeSignatureURL reads a signature in URL-safe base64 without padding only.
func DecodeSignatureURL(s string) ([]byte, error) {
	b, err := decodeURL(s, ed25519.SignatureSize)
	if err != nil {
		return nil, ErrSignature
	}
	return b, nil
}

// EncodeSignature returns the URL-safe base64 form without padding.
func EncodeSignature(sig []byte) string { return base64.RawURLEncoding.EncodeToString(sig) }

var errBase64 = errors.New("not strict base64")

func decodeEither(s string, size int) ([]byte, error) {
	if b, err := decodeURL(s, size); err == nil {
		return b, nil
	}
	return decodeSized(base64.StdEncoding, s, size)
}

func decodeURL(s string, size int) ([]byte, error) {
	return decodeSized(base64.RawURLEncoding, s, size)
}

func decodeSized(enc *base64.Encoding, s string, size int) ([]byte, error) {
	if len(s) != enc.EncodedLen(size) {
		return nil, errBase64
	}
	b, err := decodeStrict(enc, s)
	if err != nil || len(b) != size {
		return nil, errBase64
	}
	return b, nil
}

// decodeStrict refuses trailing bits, and CR and LF, which package base64
// skips even when strict.
func decodeStrict(enc *base64.Encoding, s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errBase64
	}
	b, err := enc.Strict().DecodeString(s)
	if err != nil {
		return nil, errBase64
	}
	return b, nil
}

// point refuses what [ed25519.Verify] would let through: with a key of small
// order one signature fits many messages, and a second encoding of the same
// point would be a second name for one key.
func point(b []byte) (ed25519.PublicKey, error) {
	p, err := new(edwards25519.Point).SetBytes(b)
	if err != nil || !bytes.Equal(p.Bytes(), b) {
		return nil, ErrKey
	}
	if new(edwards25519.Point).MultByCofactor(p).Equal(edwards25519.NewIdentityPoint()) == 1 {
		return nil, ErrKey
	}
	return b, nil
}

// Fingerprint returns what people compare: "SHA256:" and the SHA-256 of the 32
// bytes of a key, in standard base64 without padding.
func Fingerprint(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return fingerprint + base64.RawStdEncoding.EncodeToString(sum[:])
}
