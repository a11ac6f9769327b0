package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
)

// The vectors of the wire protocol.
const (
	vecPub    = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
	vecSeed   = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	vecProof  = "yS13QWSsgCaq0fA7gRycKrqhsqOwY9hBbxU-rlo3YnQhTFStCJxMetdiSqm-QWV-d8Tx-z-qWJ2_DNNdycUCDw"
	vecBearer = "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a"
	vecHeader = "11111111-2222-4333-8444-555555555555.1714248000.66666666-7777-4888-8999-aaaaaaaaaaaa.e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855.271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a.6Ln-Jh-w8wa90Y7BEAlWT2UfpaVpkI7VeuCyesFZJCepis6jU9xDLO5BTF0y2y1MumWeLNzzRat4NNKKCmANBQ"
	vecJWT    = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtpZC0xIiwidHlwIjoiSldUIn0.eyJhdWQiOiJjb3J0ZXgtZGFlbW9uIiwiZXhwIjoxNzE2ODQwMDAwLCJpYXQiOjE3MTQyNDgwMDAsImlzcyI6ImNvcnRleC1hdXRoIiwianRpIjoiNjY2NjY2NjYtNzc3Ny00ODg4LTg5OTktYWFhYWFhYWFhYWFhIiwic2NvcGUiOiJkYWVtb24iLCJzdWIiOiJteS1hZ2VudCJ9.4e-L_nlV_w36eovDTZmgcq9LMY2jXLD216aAr8LI1V0ptlDqRNUdqeSKsZksLw_xM5FMmp8ADaA7yLbxYQvFCw"
)

func vecKey() ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func TestAgentProofVector(t *testing.T) {
	pub, err := DecodeKey(vecPub)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := DecodeSignature(vecProof)
	if err != nil {
		t.Fatal(err)
	}
	msg := AgentMessage(1714248000, "deadbeefcafe0000", "my-agent")
	if string(msg) != "1714248000|deadbeefcafe0000|my-agent|/agent/discover" {
		t.Errorf("message %q", msg)
	}
	if !ed25519.Verify(pub, msg, sig) {
		t.Error("the vector does not verify")
	}
	if got := EncodeSignature(ed25519.Sign(vecKey(), msg)); got != vecProof {
		t.Errorf("signed %s", got)
	}
	if EncodeKey(pub) != vecPub || !bytes.Equal(pub, vecKey().Public().(ed25519.PublicKey)) {
		t.Errorf("public key %s", EncodeKey(pub))
	}
}

func TestAuthTokenID(t *testing.T) {
	if got := AuthTokenID(strings.Repeat("ab", 32)); got != vecBearer {
		t.Errorf("random bearer: %s", got)
	}
	if got := AuthTokenID(vecJWT); got != "66666666-7777-4888-8999-aaaaaaaaaaaa" {
		t.Errorf("JWT: %s", got)
	}
	if got := AgentTokenID("my-agent"); got != "agent:my-agent" {
		t.Errorf("agent: %s", got)
	}
	payload := func(s string) string { return "a." + base64.RawURLEncoding.EncodeToString([]byte(s)) + ".c" }
	for _, odd := range []string{"", "..", "a.b.c", "a.b", "a.b.c.d", payload("{}"), payload(`{"jti":5}`), payload(`{"jti":"x"} x`), payload(`{"jti":"x"}`) + "\n.", "a.e30=.c"} {
		if got := AuthTokenID(odd); got != BodyHash([]byte(odd)) {
			t.Errorf("%q: %s", odd, got)
		}
	}
}

func TestAttestationVector(t *testing.T) {
	a, err := ParseAttestation(vecHeader)
	if err != nil {
		t.Fatal(err)
	}
	pub, _ := DecodeKeyURL(vecPub)
	msg := a.Message("GET", "/project/secrets/my-app")
	if !ed25519.Verify(pub, msg, a.Signature) {
		t.Errorf("does not verify over %q", msg)
	}
	if a.Header() != vecHeader {
		t.Errorf("rebuilt %s", a.Header())
	}
	a.Signature = ed25519.Sign(vecKey(), msg)
	if a.Header() != vecHeader {
		t.Errorf("signed anew %s", a.Header())
	}
	if a.BodySHA256 != BodyHash(nil) || a.AuthTokenID != AuthTokenID(strings.Repeat("ab", 32)) || a.TS != 1714248000 {
		t.Errorf("parsed %+v", a)
	}
	for _, other := range [][2]string{{"POST", "/project/secrets/my-app"}, {"GET", "/project/secrets/my-app?x"}, {"get", "/project/secrets/my-app"}} {
		if ed25519.Verify(pub, a.Message(other[0], other[1]), a.Signature) {
			t.Errorf("also verifies for %v", other)
		}
	}
}

func TestAttestationRefuses(t *testing.T) {
	good := strings.Split(vecHeader, ".")
	with := func(i int, s string) string {
		seg := append([]string(nil), good...)
		seg[i] = s
		return strings.Join(seg, ".")
	}
	for name, h := range map[string]string{
		"empty":                  "",
		"five segments":          strings.Join(good[:5], "."),
		"seven segments":         vecHeader + ".x",
		"agent id with a dot":    with(4, "agent:a.b"),
		"no session":             with(0, ""),
		"session with space":     with(0, "a b"),
		"session too long":       with(0, strings.Repeat("a", 129)),
		"ts with plus":           with(1, "+1714248000"),
		"ts with zero":           with(1, "01714248000"),
		"ts negative":            with(1, "-5"),
		"ts minus zero":          with(1, "-0"),
		"ts too big":             with(1, "9223372036854775808"),
		"ts float":               with(1, "1e9"),
		"jti with pipe":          with(2, "a|b"),
		"jti empty":              with(2, ""),
		"jti too long":           with(2, strings.Repeat("a", 129)),
		"body upper case":        with(3, strings.ToUpper(good[3])),
		"body short":             with(3, good[3][1:]),
		"token id with pipe":     with(4, "a|b"),
		"token id not ASCII":     with(4, "agent:bü"),
		"token id control":       with(4, "a\tb"),
		"token id empty":         with(4, ""),
		"signature padded":       with(5, good[5]+"=="),
		"signature standard":     with(5, strings.NewReplacer("-", "+", "_", "/").Replace(good[5])),
		"signature short":        with(5, good[5][1:]),
		"signature trailing bit": with(5, good[5][:85]+"R"),
		"signature line break":   with(5, good[5][:85]+"\n"),
		"leading space":          " " + vecHeader,
		"too long":               with(4, strings.Repeat("a", 1100)),
	} {
		if a, err := ParseAttestation(h); err == nil {
			t.Errorf("%s: taken as %+v", name, a)
		}
	}
	if _, err := ParseAttestation(with(4, "agent:me@host:1")); err != nil {
		t.Errorf("an agent's id is refused: %v", err)
	}
	if _, err := ParseAttestation(with(1, "0")); err != nil {
		t.Errorf("ts 0 is refused: %v", err)
	}
}

func FuzzAttestation(f *testing.F) {
	f.Add(vecHeader)
	f.Add("s.0.j." + strings.Repeat("0", 64) + ".agent:a." + strings.Repeat("A", 86))
	f.Add(".....")
	f.Add(strings.Replace(vecHeader, "1714248000", "+1", 1))
	f.Fuzz(func(t *testing.T, h string) {
		a, err := ParseAttestation(h)
		if err != nil {
			return
		}
		if a.Header() != h {
			t.Fatalf("%q re-encodes as %q", h, a.Header())
		}
		if n := bytes.Count(a.Message("GET", "/p"), []byte("|")); n != 5 {
			t.Fatalf("%q: message with %d pipes", h, n)
		}
	})
}

func TestDecodeKey(t *testing.T) {
	std := base64.StdEncoding.EncodeToString(vecKey().Public().(ed25519.PublicKey))
	if k, err := DecodeKey(std); err != nil || EncodeKey(k) != vecPub {
		t.Errorf("standard with padding: %v", err)
	}
	if _, err := DecodeKeyURL(std); err == nil {
		t.Error("an attestation key in standard base64 was taken")
	}
	for name, s := range map[string]string{
		"empty":                  "",
		"URL-safe with padding":  vecPub + "=",
		"standard, no padding":   strings.TrimRight(std, "="),
		"mixed alphabets":        strings.Replace(std, "/", "_", 1),
		"trailing bit, URL-safe": vecPub[:42] + "h",
		"trailing bit, standard": std[:42] + "h=",
		"line feed inside":       vecPub[:20] + "\n" + vecPub[21:],
		"line feed at the end":   vecPub + "\n",
		"carriage return":        std[:43] + "\r",
		"31 bytes":               base64.RawURLEncoding.EncodeToString(make([]byte, 31)),
		"33 bytes":               base64.RawURLEncoding.EncodeToString(make([]byte, 33)),
		"white space around":     " " + vecPub,
		"padding inside":         "=" + std[1:],
	} {
		if k, err := DecodeKey(s); err == nil {
			t.Errorf("%s: taken as %x", name, k)
		}
	}
}

// A key of small order lets one signature pass for many messages; a second
// encoding is a second name for a key.
func TestDecodeKeyRefusesBadPoints(t *testing.T) {
	for name, h := range map[string]string{
		"neutral element":            "0100000000000000000000000000000000000000000000000000000000000000",
		"order 2":                    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"order 4":                    "0000000000000000000000000000000000000000000000000000000000000000",
		"order 4, negative":          "0000000000000000000000000000000000000000000000000000000000000080",
		"order 8":                    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"order 8, second":            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"neutral, not canonical":     "0100000000000000000000000000000000000000000000000000000000000080",
		"y = p + 1, not canonical":   "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"large order, not canonical": "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"not on the curve":           "0200000000000000000000000000000000000000000000000000000000000000",
	} {
		b, err := hex.DecodeString(h)
		if err != nil || len(b) != 32 {
			t.Fatalf("%s: bad vector", name)
		}
		if _, err := DecodeKey(EncodeKey(b)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestDecodeSignature(t *testing.T) {
	std := base64.StdEncoding.EncodeToString(ed25519.Sign(vecKey(), nil))
	if b, err := DecodeSignature(std); err != nil || len(b) != 64 {
		t.Errorf("standard with padding: %v", err)
	}
	if _, err := DecodeSignatureURL(std); err == nil {
		t.Error("standard taken where only URL-safe may be")
	}
	if _, err := DecodeSignature(vecPub); err == nil {
		t.Error("32 bytes taken")
	}
}

func FuzzBase64(f *testing.F) {
	for _, s := range []string{vecPub, vecProof, vecSeed, vecPub + "=", vecPub[:42] + "\n", base64.StdEncoding.EncodeToString(make([]byte, 32))} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if k, err := DecodeKey(s); err == nil {
			if EncodeKey(k) != s && base64.StdEncoding.EncodeToString(k) != s {
				t.Fatalf("%q is a second spelling of %x", s, k)
			}
		}
		if b, err := DecodeSignature(s); err == nil {
			if EncodeSignature(b) != s && base64.StdEncoding.EncodeToString(b) != s {
				t.Fatalf("%q is a second spelling of %x", s, b)
			}
		}
	})
}

func TestNames(t *testing.T) {
	long := func(n int) string { return strings.Repeat("a", n) }
	for _, row := range []struct {
		name string
		ok   func(string) bool
		good []string
		bad  []string
	}{
		{
			"agent id", ValidAgentID,
			[]string{"a", "my-agent", "Me_2@host:9", long(128)},
			[]string{"", "a.b", "a b", "a/b", "a|b", "bü", "a\n", long(129), "../x"},
		},
		{
			"name", ValidName,
			[]string{"p", "my-app", "v1.2_x", long(128)},
			[]string{"", ".", "..", ".hidden", "a/b", "a b", "a@b", "x onmouseover=y", `a"b`, "a'b", long(129)},
		},
		{
			"path", ValidPath,
			[]string{"openai_api_key", "/prod/db/password", "a.b-c_d", long(512)},
			[]string{"", "a..b", "../a", "a b", "a|b", "a\x00", "ü", long(513)},
		},
		{
			"nonce", ValidNonce,
			[]string{"deadbeefcafe0000", "12345678", "a_b-c_d-", long(128)},
			[]string{"", "1234567", "a.bcdefgh", "a|bcdefgh", long(129)},
		},
	} {
		for _, s := range row.good {
			if !row.ok(s) {
				t.Errorf("%s %q refused", row.name, s)
			}
		}
		for _, s := range row.bad {
			if row.ok(s) {
				t.Errorf("%s %q taken", row.name, s)
			}
		}
	}
}
