package token

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// AudienceServer is the audience of what agents assert.
const AudienceServer = Issuer

// assertionTTL is the longest that an assertion may be good for.
const assertionTTL = 5 * time.Minute

// An Assertion is what an agent says of itself to get an access token (RFC 7523,
// section 2.1): a compact JWS with EdDSA by the agent's key. Times are Unix
// seconds.
type Assertion struct {
	Audience string `json:"aud"` // "cortex-auth"
	Expires  int64  `json:"exp"`
	IssuedAt int64  `json:"iat"`
	Issuer   string `json:"iss"` // the agent's id
	ID       string `json:"jti"` // never used before
	Subject  string `json:"sub"` // the agent's id
}

// NewAssertion returns what an agent asserts now.
func NewAssertion(agentID, jti string) Assertion {
	now := time.Now()
	return Assertion{
		Audience: AudienceServer, Issuer: agentID, Subject: agentID, ID: jti,
		IssuedAt: now.Unix(), Expires: now.Add(time.Minute).Unix(),
	}
}

// MintAssertion signs a with the agent's key. The key id in its header is the
// agent's id.
func MintAssertion(signer Signer, a Assertion) (string, error) { return mint(signer, a.Subject, a) }

// AssertionSubject returns whom an assertion says it is by. Nothing is verified.
func AssertionSubject(text string) (string, error) {
	if len(text) > MaxSize || !canonical(text) {
		return "", ErrMalformed
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(text, ".")[1])
	if err != nil {
		return "", ErrMalformed
	}
	var a Assertion
	if err := json.Unmarshal(payload, &a); err != nil {
		return "", fmt.Errorf("%w: claims", ErrMalformed)
	}
	return a.Subject, nil
}

// ParseAssertion verifies that an assertion is by the holder of pub.
func ParseAssertion(text string, pub ed25519.PublicKey) (Assertion, error) {
	payload, err := verify(text, func(string) (ed25519.PublicKey, bool) { return pub, true })
	if err != nil {
		return Assertion{}, err
	}
	var a Assertion
	if err := json.Unmarshal(payload, &a); err != nil {
		return Assertion{}, fmt.Errorf("%w: claims", ErrMalformed)
	}
	return a, nil
}

// Check reports why an assertion is not good at the given time. Whether it was
// used before, and whether it is fresh, the caller must see.
func (a Assertion) Check(now time.Time) error {
	switch {
	case a.Subject == "" || a.Issuer != a.Subject || len(a.ID) < 8 || len(a.ID) > 128:
		return fmt.Errorf("%w: who it is by", ErrMalformed)
	case a.Audience != AudienceServer:
		return ErrAudience
	case a.Expires-a.IssuedAt > int64(assertionTTL.Seconds()) || a.Expires < a.IssuedAt:
		return fmt.Errorf("%w: good for too long", ErrMalformed)
	case a.Expires <= now.Unix():
		return ErrExpired
	}
	return nil
}
