package token

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// vecJWT is the device token vector of the wire protocol.
const vecJWT = "eyJhbGciOiJFZERTQSIsImtpZCI6ImtpZC0xIiwidHlwIjoiSldUIn0.eyJhdWQiOiJjb3J0ZXgtZGFlbW9uIiwiZXhwIjoxNzE2ODQwMDAwLCJpYXQiOjE3MTQyNDgwMDAsImlzcyI6ImNvcnRleC1hdXRoIiwianRpIjoiNjY2NjY2NjYtNzc3Ny00ODg4LTg5OTktYWFhYWFhYWFhYWFhIiwic2NvcGUiOiJkYWVtb24iLCJzdWIiOiJteS1hZ2VudCJ9.4e-L_nlV_w36eovDTZmgcq9LMY2jXLD216aAr8LI1V0ptlDqRNUdqeSKsZksLw_xM5FMmp8ADaA7yLbxYQvFCw"

func seedKey(first byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = first + byte(i)
	}
	return ed25519.NewKeyFromSeed(seed)
}

// signer is a Signer over a plain key.
type signer ed25519.PrivateKey

func (s signer) Public() ed25519.PublicKey {
	return ed25519.PrivateKey(s).Public().(ed25519.PublicKey)
}

func (s signer) Sign(m []byte) ([]byte, error) { return ed25519.Sign(ed25519.PrivateKey(s), m), nil }

type brokenSigner struct{ signer }

func (brokenSigner) Sign([]byte) ([]byte, error) { return nil, errors.New("no key") }

// keys knows kid-1 and kid-2.
func keys(kid string) (ed25519.PublicKey, bool) {
	switch kid {
	case "kid-1":
		return signer(seedKey(0)).Public(), true
	case "kid-2":
		return signer(seedKey(100)).Public(), true
	}
	return nil, false
}

func vecClaims() Claims {
	return Claims{
		Audience: AudienceDaemon, Issuer: Issuer, ID: "66666666-7777-4888-8999-aaaaaaaaaaaa",
		IssuedAt: 1714248000, Expires: 1716840000, Subject: "my-agent", Scope: Scope{Words: ScopeDaemon},
	}
}

func TestDeviceVector(t *testing.T) {
	c, err := Parse(vecJWT, keys)
	if err != nil || !reflect.DeepEqual(c, vecClaims()) {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := c.Check(time.Unix(1716839999, 0), AudienceDaemon); err != nil {
		t.Errorf("in its last second: %v", err)
	}
	minted, err := Mint(signer(seedKey(0)), "kid-1", vecClaims())
	if err != nil || minted != vecJWT {
		t.Errorf("minted %s, %v", minted, err)
	}
}

func TestProjectToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := Project("my-app", "default", "j-1", []string{"a", "b/c"})
		tok, err := Mint(signer(seedKey(100)), "kid-2", want)
		if err != nil {
			t.Fatal(err)
		}
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(tok, ".")[1])
		now := time.Now().Unix()
		wire := fmt.Sprintf(`{"aud":"cortex-cli","exp":%d,"iat":%d,"iss":"cortex-auth","jti":"j-1","namespace":"default","project_id":"my-app","scope":["a","b/c"],"sub":"my-app"}`, now+1209600, now)
		if string(payload) != wire {
			t.Errorf("payload %s", payload)
		}
		got, err := Parse(tok, keys)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v", got, err)
		}
		time.Sleep(ProjectTTL - time.Second)
		if err := got.Check(time.Now(), AudienceProject); err != nil {
			t.Errorf("a second before its end: %v", err)
		}
		time.Sleep(time.Second)
		if err := got.Check(time.Now(), AudienceProject); !errors.Is(err, ErrExpired) {
			t.Errorf("at its end: %v", err)
		}
	})
}

func TestEmptyScopeIsAnArray(t *testing.T) {
	tok, err := Mint(signer(seedKey(0)), "kid-1", Project("p", "n", "j", nil))
	if err != nil {
		t.Fatal(err)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(tok, ".")[1])
	if !strings.Contains(string(payload), `"scope":[]`) {
		t.Errorf("payload %s", payload)
	}
}

func TestCheck(t *testing.T) {
	now := time.Unix(1715000000, 0)
	for name, row := range map[string]struct {
		change   func(*Claims)
		audience string
		want     error
	}{
		"good":                {func(*Claims) {}, AudienceDaemon, nil},
		"project's audience":  {func(*Claims) {}, AudienceProject, ErrAudience},
		"no audience":         {func(c *Claims) { c.Audience = "" }, AudienceDaemon, ErrAudience},
		"other issuer":        {func(c *Claims) { c.Issuer = "evil" }, AudienceDaemon, ErrIssuer},
		"expired":             {func(c *Claims) { c.Expires = now.Unix() }, AudienceDaemon, ErrExpired},
		"without expiry":      {func(c *Claims) { c.Expires = 0 }, AudienceDaemon, ErrExpired},
		"from the future":     {func(c *Claims) { c.IssuedAt = now.Unix() + 301 }, AudienceDaemon, ErrNotYet},
		"clock a little fast": {func(c *Claims) { c.IssuedAt = now.Unix() + 300 }, AudienceDaemon, nil},
		"no subject":          {func(c *Claims) { c.Subject = "" }, AudienceDaemon, ErrMalformed},
		"no id":               {func(c *Claims) { c.ID = "" }, AudienceDaemon, ErrMalformed},
	} {
		c := vecClaims()
		row.change(&c)
		if err := c.Check(now, row.audience); !errors.Is(err, row.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// forge signs any header and payload with the true key.
func forge(header, payload string) string {
	input := b64(header) + "." + b64(payload)
	return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(seedKey(0), []byte(input)))
}

func TestTampering(t *testing.T) {
	seg := strings.Split(vecJWT, ".")
	payload, _ := base64.RawURLEncoding.DecodeString(seg[1])
	pub := signer(seedKey(0)).Public()
	hs256 := func(header string, key []byte) string {
		input := b64(header) + "." + seg[1]
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	jwk := fmt.Sprintf(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT","jwk":{"kty":"OKP","crv":"Ed25519","x":%q}}`, base64.RawURLEncoding.EncodeToString(pub))
	const good = `{"alg":"EdDSA","kid":"kid-1","typ":"JWT"}`
	for name, row := range map[string]struct {
		token string
		want  error
	}{
		"alg none":                      {b64(`{"alg":"none","kid":"kid-1","typ":"JWT"}`) + "." + seg[1] + ".", ErrMalformed},
		"alg none with a signature":     {forge(`{"alg":"none","kid":"kid-1","typ":"JWT"}`, string(payload)), ErrMalformed},
		"alg None":                      {forge(`{"alg":"None","kid":"kid-1","typ":"JWT"}`, string(payload)), ErrMalformed},
		"HS256 with the public key":     {hs256(`{"alg":"HS256","kid":"kid-1","typ":"JWT"}`, pub), ErrMalformed},
		"HS256 with its text":           {hs256(`{"alg":"HS256","kid":"kid-1","typ":"JWT"}`, []byte(base64.RawURLEncoding.EncodeToString(pub))), ErrMalformed},
		"no alg":                        {forge(`{"kid":"kid-1","typ":"JWT"}`, string(payload)), ErrMalformed},
		"two algs":                      {forge(`{"alg":"EdDSA","alg":"EdDSA","kid":"kid-1","typ":"JWT"}`, string(payload)), ErrMalformed},
		"no kid":                        {forge(`{"alg":"EdDSA","typ":"JWT"}`, string(payload)), ErrMalformed},
		"unknown kid":                   {forge(`{"alg":"EdDSA","kid":"kid-9","typ":"JWT"}`, string(payload)), ErrKey},
		"another key's kid":             {forge(`{"alg":"EdDSA","kid":"kid-2","typ":"JWT"}`, string(payload)), ErrSignature},
		"no typ":                        {forge(`{"alg":"EdDSA","kid":"kid-1"}`, string(payload)), ErrMalformed},
		"another typ":                   {forge(`{"alg":"EdDSA","kid":"kid-1","typ":"at+jwt"}`, string(payload)), ErrMalformed},
		"key in the header":             {forge(jwk, string(payload)), ErrMalformed},
		"jku in the header":             {forge(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT","jku":"https://evil"}`, string(payload)), ErrMalformed},
		"critical extension":            {forge(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT","crit":["exp"]}`, string(payload)), ErrMalformed},
		"b64 false":                     {forge(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT","b64":false,"crit":["b64"]}`, string(payload)), ErrMalformed},
		"two segments":                  {seg[0] + "." + seg[1], ErrMalformed},
		"four segments":                 {vecJWT + ".x", ErrMalformed},
		"empty fourth segment":          {vecJWT + ".", ErrMalformed},
		"no signature":                  {seg[0] + "." + seg[1] + ".", ErrMalformed},
		"no payload":                    {seg[0] + ".." + seg[2], ErrMalformed},
		"empty":                         {"", ErrMalformed},
		"JSON form":                     {`{"payload":"` + seg[1] + `","protected":"` + seg[0] + `","signature":"` + seg[2] + `"}`, ErrMalformed},
		"padded":                        {vecJWT + "==", ErrMalformed},
		"trailing bit in the signature": {vecJWT[:len(vecJWT)-1] + "x", ErrMalformed},
		"line break in the signature":   {seg[0] + "." + seg[1] + "." + seg[2][:40] + "\n" + seg[2][40:], ErrMalformed},
		"space around":                  {" " + vecJWT, ErrMalformed},
		"payload of another agent":      {seg[0] + "." + b64(strings.Replace(string(payload), "my-agent", "an-agent", 1)) + "." + seg[2], ErrSignature},
		"header changed":                {b64(`{"kid":"kid-1","alg":"EdDSA","typ":"JWT"}`) + "." + seg[1] + "." + seg[2], ErrSignature},
		"signature of another key":      {seg[0] + "." + seg[1] + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(seedKey(9), []byte(seg[0]+"."+seg[1]))), ErrSignature},
		"signed, claims not an object":  {forge(good, `[]`), ErrMalformed},
		"signed, a claim twice":         {forge(good, `{"sub":"a","sub":"b"}`), ErrMalformed},
		"signed, aud a list":            {forge(good, `{"aud":["cortex-cli"]}`), ErrMalformed},
		"signed, exp a fraction":        {forge(good, `{"exp":1.5}`), ErrMalformed},
		"signed, exp too big":           {forge(good, `{"exp":99999999999999999999}`), ErrMalformed},
		"signed, trailing data":         {forge(good, `{} {}`), ErrMalformed},
		"too long":                      {forge(good, `{"sub":"`+strings.Repeat("a", MaxSize)+`"}`), ErrMalformed},
	} {
		if c, err := Parse(row.token, keys); !errors.Is(err, row.want) {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	if c, err := Parse(forge(good, string(payload)), keys); err != nil || c.Subject != "my-agent" {
		t.Errorf("the forge itself is broken: %+v, %v", c, err)
	}
}

func TestErrorsDoNotQuoteTheToken(t *testing.T) {
	for _, tok := range []string{"hush.hush.hush", forge(`{"alg":"EdDSA","kid":"hush","typ":"JWT"}`, `{"sub":"hush"}`), forge(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT"}`, `{"exp":"hush"}`)} {
		if _, err := Parse(tok, keys); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("error %v", err)
		}
	}
}

func TestMintFails(t *testing.T) {
	if _, err := Mint(brokenSigner{signer(seedKey(0))}, "kid-1", vecClaims()); err == nil {
		t.Error("a failing signer went unnoticed")
	}
	big := vecClaims()
	big.Subject = strings.Repeat("a", MaxSize)
	if _, err := Mint(signer(seedKey(0)), "kid-1", big); err == nil {
		t.Error("a token that nobody would accept was minted")
	}
}

func TestJWKS(t *testing.T) {
	b, err := json.Marshal(JWKS([]Key{{"kid-1", signer(seedKey(0)).Public()}}))
	if want := `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"kid-1","x":"A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg","alg":"EdDSA"}]}`; err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if b, _ := json.Marshal(JWKS(nil)); string(b) != `{"keys":[]}` {
		t.Errorf("no keys: %s", b)
	}
}

// FuzzParse: what parses was signed by a key we know, and is its only spelling.
func FuzzParse(f *testing.F) {
	f.Add(vecJWT)
	f.Add(vecJWT + ".")
	f.Add(vecJWT[:len(vecJWT)-1] + "x")
	f.Add(forge(`{"alg":"EdDSA","kid":"kid-1","typ":"JWT"}`, `{"scope":["a"]}`))
	f.Add(forge(`{"alg":"none"}`, `{}`))
	f.Fuzz(func(t *testing.T, tok string) {
		if _, err := Parse(tok, keys); err != nil {
			return
		}
		at := strings.LastIndex(tok, ".")
		sig, err := base64.RawURLEncoding.Strict().DecodeString(tok[at+1:])
		if err != nil || base64.RawURLEncoding.EncodeToString(sig) != tok[at+1:] {
			t.Fatalf("%q has a second spelling", tok)
		}
		one, _ := keys("kid-1")
		two, _ := keys("kid-2")
		if !ed25519.Verify(one, []byte(tok[:at]), sig) && !ed25519.Verify(two, []byte(tok[:at]), sig) {
			t.Fatalf("%q was signed by nobody", tok)
		}
	})
}
