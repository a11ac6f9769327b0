package notify_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
)

// verify checks a signature as docs/api.md tells receivers to.
func verify(t *testing.T, p post, id, secret string) {
	t.Helper()
	ts, rest, ok := strings.Cut(strings.TrimPrefix(p.header.Get("X-Cortex-Signature"), "t="), ",v1=")
	if !ok {
		t.Fatalf("signature %q", p.header.Get("X-Cortex-Signature"))
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(ts + "." + string(p.body)))
	if want := hex.EncodeToString(mac.Sum(nil)); rest != want {
		t.Errorf("signature %s, want %s", rest, want)
	}
	if got := p.header.Get("X-Cortex-Delivery"); got != id {
		t.Errorf("delivery %q, want %q", got, id)
	}
}
