// Package token makes and reads what the vault hands out: the signed tokens
// of projects and devices (compact JWS with EdDSA, and nothing else), the key
// set others verify them with, random bearer tokens, and the short codes
// people type.
//
// Reading a token is two steps that a caller must both take: [Parse] proves
// who made it, [Claims.Check] that it is for here and now.
package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// MaxSize is the longest signed token accepted, in bytes.
const MaxSize = 8 << 10

// What [Parse] and [Claims.Check] refuse with.
var (
	ErrMalformed = errors.New("malformed token")
	ErrKey       = errors.New("token signed by an unknown key")
	ErrSignature = errors.New("bad token signature")
	ErrIssuer    = errors.New("token of another issuer")
	ErrAudience  = errors.New("token for another audience")
	ErrExpired   = errors.New("token expired")
	ErrNotYet    = errors.New("token from the future")
	// ErrTooLong is what Mint refuses claims with that need more than MaxSize.
	ErrTooLong = errors.New("token too long")
)

// A Signer holds an Ed25519 private key. *locked.Signer is one.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Mint signs c with the key named kid and returns the compact form, which is
// a credential.
func Mint(signer Signer, kid string, c Claims) (string, error) { return mint(signer, kid, c) }

func mint(signer Signer, kid string, claims any) (string, error) {
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encoding claims: %w", err)
	}
	key := jose.SigningKey{Algorithm: jose.EdDSA, Key: opaqueSigner{signer, kid}}
	s, err := jose.NewSigner(key, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return "", fmt.Errorf("preparing to sign: %w", err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("signing token: %w", err)
	}
	out, err := jws.CompactSerialize()
	if err == nil && len(out) > MaxSize {
		err = fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, len(out), MaxSize)
	}
	if err != nil {
		return "", err
	}
	return out, nil
}

// Parse verifies the signature of a compact token and returns its claims,
// which are not checked yet. keys finds a public key by its id. The only
// algorithm is EdDSA, the only header members are alg, kid and typ.
func Parse(token string, keys func(kid string) (ed25519.PublicKey, bool)) (Claims, error) {
	payload, err := verify(token, keys)
	if err != nil {
		return Claims{}, err
	}
	var c Claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return Claims{}, fmt.Errorf("%w: claims", ErrMalformed)
	}
	return c, nil
}

// verify returns the payload of a compact token whose signature is good.
func verify(token string, keys func(kid string) (ed25519.PublicKey, bool)) ([]byte, error) {
	jws, err := parse(token)
	if err != nil {
		return nil, err
	}
	pub, ok := keys(jws.Signatures[0].Protected.KeyID)
	if !ok || len(pub) != ed25519.PublicKeySize {
		return nil, ErrKey
	}
	payload, err := jws.Verify(pub)
	if err != nil {
		return nil, ErrSignature
	}
	return payload, nil
}

func parse(token string) (*jose.JSONWebSignature, error) {
	if len(token) > MaxSize || !canonical(token) {
		return nil, ErrMalformed
	}
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil || len(jws.Signatures) != 1 {
		return nil, ErrMalformed
	}
	h := jws.Signatures[0].Protected
	typ, _ := h.ExtraHeaders[jose.HeaderType].(string)
	if h.KeyID == "" || h.JSONWebKey != nil || h.Nonce != "" || typ != "JWT" || len(h.ExtraHeaders) != 1 {
		return nil, ErrMalformed
	}
	return jws, nil
}

// canonical reports whether token is three segments of strict base64: package
// jose skips line breaks and trailing bits, which would give one token many
// spellings.
func canonical(token string) bool {
	seg := strings.Split(token, ".")
	if len(seg) != 3 || strings.ContainsAny(token, "\r\n") {
		return false
	}
	for _, s := range seg {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(s); err != nil || s == "" {
			return false
		}
	}
	return true
}

// opaqueSigner lets package jose sign without holding the key.
type opaqueSigner struct {
	signer Signer
	kid    string
}

var _ jose.OpaqueSigner = opaqueSigner{}

func (s opaqueSigner) Public() *jose.JSONWebKey {
	return &jose.JSONWebKey{Key: s.signer.Public(), KeyID: s.kid, Algorithm: string(jose.EdDSA)}
}

func (s opaqueSigner) Algs() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{jose.EdDSA}
}

func (s opaqueSigner) SignPayload(payload []byte, alg jose.SignatureAlgorithm) ([]byte, error) {
	if alg != jose.EdDSA {
		return nil, jose.ErrUnsupportedAlgorithm
	}
	return s.signer.Sign(payload)
}
