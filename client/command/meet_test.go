package command

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// meetable is a server with TLS whose vault vouches for it, unless it is silent.
func meetable(t *testing.T, seed string) (url string, known pin.Pin, silent *bool) {
	t.Helper()
	key := ed25519.NewKeyFromSeed([]byte(strings.Repeat(seed, 32)))
	silent = new(bool)
	known.Vault, known.Issued = key.Public().(ed25519.PublicKey), 1
	ts := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if *silent {
			http.NotFound(w, r)
			return
		}
		s := proof.ServerKey{Vault: known.Vault, Issued: known.Issued, Key: known.Key}
		json.NewEncoder(w).Encode(api.Identity{
			VaultKey: proof.EncodeKey(s.Vault), ServerKey: s.Key.String(), Issued: s.Issued,
			Signature: proof.EncodeSignature(ed25519.Sign(key, s.Message())),
		})
	}))
	t.Cleanup(ts.Close)
	known.Key = proof.TLSKeyOf(ts.Certificate())
	return ts.URL, known, silent
}

func TestMeetAs(t *testing.T) {
	url, known, silent := meetable(t, "a")
	_, other, _ := meetable(t, "b")
	named := &pin.Pin{Key: known.Key}
	m, err := meetAs(t.Context(), url, named)
	if err != nil || m.vaultKey() != proof.Fingerprint(known.Vault) || m.serverKey() != known.Key.String() {
		t.Errorf("by its key: %+v, %v", m.pin, err)
	}
	// The same key, and another vault behind it.
	_, err = meetAs(t.Context(), url, &pin.Pin{Key: known.Key, Vault: other.Vault, Issued: 1})
	if err == nil || !strings.Contains(err.Error(), proof.Fingerprint(known.Vault)) || !strings.Contains(err.Error(), proof.Fingerprint(other.Vault)) || !strings.Contains(client.Hint(err), "logout") {
		t.Errorf("another vault: %v, %s", err, client.Hint(err))
	}
	// A server that says nothing takes away nothing that is known.
	*silent = true
	if m, err := meetAs(t.Context(), url, &known); err != nil || m.vaultKey() != proof.Fingerprint(known.Vault) {
		t.Errorf("silent: %+v, %v", m.pin, err)
	}
	if m, err := meetAs(t.Context(), url, named); err != nil || m.vaultKey() != "" || m.serverKey() != known.Key.String() {
		t.Errorf("silent, by its key: %+v, %v", m.pin, err)
	}
	if _, err := meetAs(t.Context(), url, nil); err == nil {
		t.Error("a certificate of nobody passes")
	}
}

// A pin that is named wins over the login's, and that is for its server alone.
func TestConnect(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CORTEX_HOME", dir)
	_, known, _ := meetable(t, "a")
	key, err := identity.Generate(identity.Path(dir, "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	login := identity.Session{ServerURL: "https://v.example", AgentID: "bot", IssuedAt: time.Now(), ExpiresIn: time.Hour, Pin: &known}
	if err := identity.SaveSession(dir, key, login, opaque.New([]byte("token"))); err != nil {
		t.Fatal(err)
	}
	named := proof.TLSKey{9}.String()
	for _, row := range []struct{ url, pin, want string }{
		{"https://v.example", "", known.Key.String()},
		{"https://V.example:443/", "", known.Key.String()},
		{"https://v.example", named, named},
		{"https://v.example", strings.Replace(named, "SHA256", "sha256", 1), named},
		{"https://v.example:3000", "", ""},
		{"https://other.example", "", ""},
	} {
		c, err := connect(row.url, row.pin, opaque.Bytes{})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if p := c.Pin(); p != nil {
			got = p.Key.String()
		}
		if got != row.want {
			t.Errorf("%s, --pin %q: known by %q", row.url, row.pin, got)
		}
	}
	next := known
	next.Key, next.Issued = proof.TLSKey{7}, 2
	moved(next)
	if c, err := connect("https://v.example", "", opaque.Bytes{}); err != nil || !c.Pin().Key.Is(next.Key) {
		t.Errorf("the pin did not move: %v", err)
	}
}
