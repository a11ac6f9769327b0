package blackbox

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// claims are those of a JWT, unverified.
func claims(t *testing.T, jwt string) (o object) {
	t.Helper()
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		t.Fatalf("%d parts in %q", len(parts), jwt)
	}
	if err := json.Unmarshal(decoded(t, parts[1]), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

func decoded(t *testing.T, text string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// verify checks a JWT with the published keys, as a verifier elsewhere does.
func (v *vault) verify(jwt string) {
	v.t.Helper()
	var set struct{ Keys []object }
	v.send("GET", "/.well-known/jwks.json", nil).want(http.StatusOK).into(&set)
	parts := strings.Split(jwt, ".")
	var header object
	if err := json.Unmarshal(decoded(v.t, parts[0]), &header); err != nil {
		v.t.Fatal(err)
	}
	has(v.t, header, object{"alg": "EdDSA", "typ": "JWT"})
	for _, key := range set.Keys {
		if key["kid"] == header["kid"] {
			if !ed25519.Verify(decoded(v.t, key["x"].(string)), []byte(parts[0]+"."+parts[1]), decoded(v.t, parts[2])) {
				v.t.Error("the signature is wrong")
			}
			return
		}
	}
	v.t.Errorf("no key %v in %v", header["kid"], set.Keys)
}

func TestKeySetHasTheServersKey(t *testing.T) {
	each(t, func(v *vault) {
		var set map[string][]object
		v.send("GET", "/.well-known/jwks.json", nil).want(http.StatusOK).into(&set)
		if len(set["keys"]) != 1 {
			v.t.Fatalf("%v", set)
		}
		key := set["keys"][0]
		has(v.t, key, object{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"})
		if key["kid"] == "" || len(decoded(v.t, key["x"].(string))) != ed25519.PublicKeySize || len(key) != 5 {
			v.t.Errorf("%v", key)
		}
	})
}
