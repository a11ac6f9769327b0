package blackbox

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// What clients sign, and how it travels.

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func public(key ed25519.PrivateKey) string { return b64(key.Public().(ed25519.PublicKey)) }

func sum(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// hexNonce returns n random bytes as text.
func hexNonce(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// authProof is an agent's signature on a discovery.
func authProof(key ed25519.PrivateKey, ts int64, nonce, agentID string) string {
	return b64(ed25519.Sign(key, fmt.Appendf(nil, "%d|%s|%s|/agent/discover", ts, nonce, agentID)))
}

// tokenID is how an attestation names a bearer.
func tokenID(t *testing.T, bearer string) string {
	t.Helper()
	if strings.Count(bearer, ".") != 2 {
		return sum([]byte(bearer))
	}
	id, _ := claims(t, bearer)["jti"].(string)
	return id
}

// attestation is a daemon's signature on a request.
func attestation(key ed25519.PrivateKey, session string, ts int64, jti, method, path string, body []byte, tokenID string) string {
	signature := ed25519.Sign(key, fmt.Appendf(nil, "%d|%s|%s|%s|%s|%s", ts, jti, method, path, sum(body), tokenID))
	return fmt.Sprintf("%s.%d.%s.%s.%s.%s", session, ts, jti, sum(body), tokenID, b64(signature))
}

// The vectors are the published ones: what is signed here is what others sign.
func TestVectors(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	key, bearer := ed25519.NewKeyFromSeed(seed), strings.Repeat("ab", 32)
	for _, row := range []struct{ name, got, want string }{
		{"public key", public(key), "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"},
		{"proof", authProof(key, 1714248000, "deadbeefcafe0000", "my-agent"), "yS13QWSsgCaq0fA7gRycKrqhsqOwY9hBbxU-rlo3YnQhTFStCJxMetdiSqm-QWV-d8Tx-z-qWJ2_DNNdycUCDw"},
		{"bearer", tokenID(t, bearer), "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a"},
		{
			"attestation",
			attestation(key, "11111111-2222-4333-8444-555555555555", 1714248000, "66666666-7777-4888-8999-aaaaaaaaaaaa", "GET", "/project/secrets/my-app", nil, tokenID(t, bearer)),
			"11111111-2222-4333-8444-555555555555.1714248000.66666666-7777-4888-8999-aaaaaaaaaaaa.e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a.6Ln-Jh-w8wa90Y7BEAlWT2UfpaVpkI7VeuCyesFZJCepis6jU9xDLO5BTF0y2y1MumWeLNzzRat4NNKKCmANBQ",
		},
	} {
		if row.got != row.want {
			t.Errorf("%s: %s, want %s", row.name, row.got, row.want)
		}
	}
}
