package proof

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"strings"
	"testing"
)

// Made by another implementation: the TLS key is the point of the P-256 scalar
// 01 02 … 20, the vault's is that of the seed 00 01 … 1f.
const (
	vecSPKI            = "3059301306072a8648ce3d020106082a8648ce3d03010703420004515c3d6eb9e396b904d3feca7f54fdcd0cc1e997bf375dca515ad0a6c3b4035f4536be3a50f318fbf9a5475902a221502bef0d57e08c53b2cc0a56f17d9f9354"
	vecTLSKey          = "SHA256:8dWUSbcnFl3nMr8oMzgSK5liimFZGP7cZ9h4//z0fac"
	vecServerKey       = "server-key|A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg|1714248000|" + vecTLSKey
	vecServerSignature = "FhDeQuLmz4OM92Cbn95Okl-uPfeSlx64N73yVWkfnQ1ewaaewJnY64mEXnlIXxTXOKJ6xbEeUqffTtf-48ToCQ"
)

func TestServerKeyVector(t *testing.T) {
	spki, err := hex.DecodeString(vecSPKI)
	if err != nil {
		t.Fatal(err)
	}
	key := TLSKeyOf(&x509.Certificate{RawSubjectPublicKeyInfo: spki})
	if key.String() != vecTLSKey || !key.Is(sha256.Sum256(spki)) {
		t.Errorf("fingerprint %s", key)
	}
	vault, err := DecodeKey(vecPub)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := DecodeSignature(vecServerSignature)
	if err != nil {
		t.Fatal(err)
	}
	s := ServerKey{Vault: vault, Issued: 1714248000, Key: key}
	if string(s.Message()) != vecServerKey || !s.Signed(sig) {
		t.Errorf("%s, signed %v", s.Message(), s.Signed(sig))
	}
	for name, other := range map[string]ServerKey{
		"another time": {vault, s.Issued + 1, key},
		"another key":  {vault, s.Issued, TLSKey{}},
		"no vault":     {nil, s.Issued, key},
	} {
		if other.Signed(sig) {
			t.Errorf("%s passes", name)
		}
	}
	if s.Signed(nil) {
		t.Error("no signature passes")
	}
}

func TestParseTLSKey(t *testing.T) {
	key, err := ParseTLSKey(vecTLSKey)
	if err != nil || key.String() != vecTLSKey || key.Is(TLSKey{}) {
		t.Errorf("%s, %v", key, err)
	}
	for name, s := range map[string]string{
		"nothing":         "",
		"no prefix":       strings.TrimPrefix(vecTLSKey, "SHA256:"),
		"lower-case name": strings.Replace(vecTLSKey, "SHA256", "sha256", 1),
		"too short":       vecTLSKey[:len(vecTLSKey)-1],
		"padded":          vecTLSKey + "=",
		"URL-safe":        strings.ReplaceAll(vecTLSKey, "/", "_"),
		"trailing bit":    vecTLSKey[:len(vecTLSKey)-1] + "d",
		"line feed":       vecTLSKey[:len(vecTLSKey)-1] + "\n",
		"hex":             "SHA256:" + vecSPKI[:64],
	} {
		if key, err := ParseTLSKey(s); err == nil {
			t.Errorf("%s: taken as %s", name, key)
		}
	}
}
