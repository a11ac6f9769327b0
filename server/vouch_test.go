package server

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// said returns what a server says of itself, if it is signed or says of no key.
func said(t *testing.T, url string) (s proof.ServerKey) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url + "/.well-known/cortex")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got api.Identity
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if s.Vault, err = proof.DecodeKeyURL(got.VaultKey); err != nil {
		t.Fatalf("%d %+v", resp.StatusCode, got)
	}
	if got.ServerKey == "" {
		if got != (api.Identity{VaultKey: got.VaultKey}) {
			t.Errorf("%+v", got)
		}
		return s
	}
	sig, err := proof.DecodeSignatureURL(got.Signature)
	if err == nil {
		s.Key, err = proof.ParseTLSKey(got.ServerKey)
	}
	if s.Issued = got.Issued; err != nil || !s.Signed(sig) {
		t.Fatalf("%+v is not signed: %v", got, err)
	}
	return s
}

// The vault vouches for the key that the server shows, later at each start, and
// for the next one after --new-certificate.
func TestVouchForItsOwn(t *testing.T) {
	t.Parallel()
	auto := []string{"INSECURE_HTTP=", "CORTEX_TLS=auto", "CORTEX_LISTEN=127.0.0.1"}
	p := serve(t, "", auto...)
	first := said(t, p.url)
	if !first.Key.Is(proof.TLSKeyOf(leaf(t, p.url))) {
		t.Errorf("vouches for %s", first.Key)
	}
	p.stop(t)

	p = serve(t, p.dir, auto...)
	second := said(t, p.url)
	if !second.Key.Is(first.Key) || !second.Vault.Equal(first.Vault) || second.Issued <= first.Issued {
		t.Errorf("after a restart: %+v, before %+v", second, first)
	}
	p.stop(t)

	p = start(t, p.dir, strings.NewReader(testPassword), auto, "serve", "--new-certificate")
	for line := range p.log {
		if _, url, ok := strings.Cut(line, "msg=listening url="); ok {
			p.url = url
			break
		}
	}
	third := said(t, p.url)
	if third.Key.Is(first.Key) || !third.Key.Is(proof.TLSKeyOf(leaf(t, p.url))) || !third.Vault.Equal(first.Vault) || third.Issued <= second.Issued {
		t.Errorf("with another key: %+v, before %+v", third, second)
	}
	p.stop(t)
}

// Likewise for one of files, which SIGHUP reads again.
func TestVouchForFiles(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := ecPair(t, dir, 1)
	p := serve(t, dir, "INSECURE_HTTP=", "CORTEX_LISTEN=127.0.0.1", "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile)
	first := said(t, p.url)
	if !first.Key.Is(proof.TLSKeyOf(leaf(t, p.url))) {
		t.Errorf("vouches for %s", first.Key)
	}
	ecPair(t, dir, 2)
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "read the certificate again")
	second := said(t, p.url)
	if second.Key.Is(first.Key) || !second.Key.Is(proof.TLSKeyOf(leaf(t, p.url))) || second.Issued <= first.Issued {
		t.Errorf("after a reload: %+v, before %+v", second, first)
	}
	if err := os.WriteFile(certFile, []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.signal(t, syscall.SIGHUP)
	p.waitFor(t, "the old certificate stays")
	if said(t, p.url).Issued != second.Issued {
		t.Error("a certificate that cannot be read changed something")
	}
	p.stop(t)
}

// Behind a proxy there is no key to vouch for.
func TestIdentityWithoutTLS(t *testing.T) {
	p := serve(t, "")
	first := said(t, p.url)
	if first.Key != (proof.TLSKey{}) || !said(t, p.url).Vault.Equal(first.Vault) {
		t.Errorf("%+v", first)
	}
	p.stop(t)
}

// A sealed vault signs nothing; what it signed before it still says.
func TestIdentitySealed(t *testing.T) {
	v := vaulttest.New(t)
	signed, err := v.Vouch(t.Context(), proof.TLSKey{1})
	if err != nil {
		t.Fatal(err)
	}
	if err := v.Seal(t.Context(), vaulttest.Admin); err != nil {
		t.Fatal(err)
	}
	for status, key := range map[int]*vault.ServerKey{http.StatusOK: &signed, http.StatusServiceUnavailable: nil} {
		s, err := New(Config{Vault: v, ServerKey: func() *vault.ServerKey { return key }})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest("GET", "/.well-known/cortex", nil))
		if w.Code != status {
			t.Errorf("%d, not %d: %s", w.Code, status, w.Body)
		}
	}
	c := &certificate{vault: v}
	pair := tls.Certificate{Certificate: [][]byte{nil}}
	c.vouched.Store(&signed)
	if err := c.vouch(t.Context(), pair); err != nil || c.statement() != nil {
		t.Errorf("another key, and the old statement: %v", err)
	}
}
