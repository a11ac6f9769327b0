// Package proof holds the exact bytes that agents and daemons sign, and the
// strict readers of what they send: public keys, signatures, the attestation
// header, and the characters each kind of name may have. It signs nothing and
// keeps nothing; whoever holds a key signs the messages built here.
package proof

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"
)

// discoverPath is part of what an agent signs; the method and the body are not.
const discoverPath = "/agent/discover"

// AgentMessage returns the bytes of an agent's proof for a discover request:
// ts|nonce|agentID|/agent/discover, with ts in Unix seconds.
func AgentMessage(ts int64, nonce, agentID string) []byte {
	return []byte(strconv.FormatInt(ts, 10) + "|" + nonce + "|" + agentID + "|" + discoverPath)
}

// BodyHash returns the lower-case hex SHA-256 of a request body.
func BodyHash(body []byte) string {
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// AgentTokenID returns the auth token id of a request that an agent signs
// itself instead of sending a bearer token.
func AgentTokenID(agentID string) string { return "agent:" + agentID }

// AuthTokenID returns the id under which an attestation names a bearer token:
// the jti of a JWT (a text with exactly two dots), the lower-case hex SHA-256
// of any other. A JWT is not verified here; one without a readable jti counts
// as any other token.
func AuthTokenID(bearer string) string {
	if _, rest, ok := strings.Cut(bearer, "."); ok {
		if payload, sig, ok := strings.Cut(rest, "."); ok && !strings.Contains(sig, ".") {
			if jti := payloadJTI(payload); jti != "" {
				return jti
			}
		}
	}
	return BodyHash([]byte(bearer))
}

func payloadJTI(payload string) string {
	b, err := decodeStrict(base64.RawURLEncoding, payload)
	if err != nil {
		return ""
	}
	var claims struct {
		JTI string `json:"jti"`
	}
	if json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.JTI
}
