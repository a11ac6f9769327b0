package client_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/pin"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A host is a live server whose key changes, and which notes what it is asked.
type host struct {
	*servertest.Server
	url  string
	cert atomic.Pointer[tls.Certificate]
	said atomic.Pointer[vault.ServerKey]
	http *httptest.Server

	// refusing answers everything as a server does that does not know a token.
	refusing atomic.Bool

	mu    sync.Mutex // guards asked
	asked []string
}

// newHost returns a host with a key that its vault vouches for.
func newHost(t *testing.T) *host {
	h := &host{}
	h.Server = servertest.With(t, servertest.Config{Direct: true, ServerKey: h.said.Load})
	h.http = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r.Proto+" "+r.URL.Path)
		h.mu.Unlock()
		if h.refusing.Load() {
			http.Error(w, `{"error":"no","error_code":"token_expired"}`, http.StatusUnauthorized)
			return
		}
		h.Handler.ServeHTTP(w, r)
	}))
	h.http.EnableHTTP2 = true
	h.http.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return h.cert.Load(), nil }}
	h.vouch(t, h.show(t))
	h.http.StartTLS()
	h.http.TLS.Certificates = nil // its own, which nobody is to see
	t.Cleanup(h.http.Close)
	h.url = h.http.URL
	return h
}

// show gives the host another key, for a name that no test uses.
func (h *host) show(t *testing.T) proof.TLSKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"elsewhere.example"},
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	h.cert.Store(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
	return proof.TLSKeyOf(leaf)
}

// vouch has the vault vouch for a key, and the host say so.
func (h *host) vouch(t *testing.T, key proof.TLSKey) *vault.ServerKey {
	t.Helper()
	s, err := h.Vault.Vouch(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	h.said.Store(&s)
	return &s
}

// known is what there is to know of the host.
func (h *host) known() pin.Pin {
	s := h.said.Load()
	return pin.Pin{Key: s.Key, Vault: s.Vault, Issued: s.Issued}
}

// requests returns what was asked since the last time.
func (h *host) requests() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	asked := h.asked
	h.asked = nil
	return asked
}

func (h *host) client(t *testing.T, p pin.Pin, moved func(pin.Pin)) *client.Client {
	t.Helper()
	c, err := client.New(client.Config{URL: h.url, Pin: &p, Moved: moved, AdminToken: opaque.New([]byte(h.AdminToken))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// stops makes sure that a client is stopped by a key, names both, and has asked
// the host nothing but what is allowed.
func stops(t *testing.T, h *host, p pin.Pin, shown proof.TLSKey, why error, allowed ...string) {
	t.Helper()
	c := h.client(t, p, func(pin.Pin) { t.Error("the pin moved") })
	_, err := c.SealStatus(t.Context())
	changed, ok := errors.AsType[*pin.ChangedError](err)
	if !ok || !errors.Is(err, why) || !errors.Is(err, client.ErrUnreachable) {
		t.Fatalf("got %v, want %v", err, why)
	}
	if !changed.Known.Is(p.Key) || !changed.Shown.Is(shown) || !strings.Contains(err.Error(), p.Key.String()) || !strings.Contains(err.Error(), shown.String()) {
		t.Errorf("the keys are not both named: %v", err)
	}
	if !strings.Contains(client.Hint(err), "--pin "+shown.String()) {
		t.Errorf("hint %q", client.Hint(err))
	}
	if asked := h.requests(); !slices.Equal(asked, allowed) {
		t.Errorf("asked %q", asked)
	}
}

const question = "HTTP/2.0 /.well-known/cortex"

// A pinned server is the one with that key, whoever signed its certificate, for
// which name and until when.
func TestPinned(t *testing.T) {
	h := newHost(t)
	c := h.client(t, pin.Pin{Key: h.known().Key}, nil)
	if _, err := c.SealStatus(t.Context()); err != nil {
		t.Error(err)
	}
	if got := h.requests(); !slices.Equal(got, []string{"HTTP/2.0 /sys/seal-status"}) {
		t.Errorf("asked %q", got)
	}
	if _, err := c.Backup(t.Context(), io.Discard); err != nil {
		t.Errorf("an answer that takes its time: %v", err)
	}
}

// Not one request goes to a server with another key of which no vault is known.
func TestPinnedToAnother(t *testing.T) {
	h := newHost(t)
	stops(t, h, pin.Pin{Key: proof.TLSKey{1}}, h.known().Key, pin.ErrNoVoucher)
	c := h.client(t, pin.Pin{Key: proof.TLSKey{1}}, nil)
	if _, err := c.Backup(t.Context(), io.Discard); !errors.Is(err, pin.ErrNoVoucher) {
		t.Errorf("an answer that takes its time: %v", err)
	}
	if asked := h.requests(); asked != nil {
		t.Errorf("asked %q", asked)
	}
}

// A server with another key is asked one thing only, with no credential, if its
// vault does not vouch for the key.
func TestKeyChangeWithoutSignature(t *testing.T) {
	h := newHost(t)
	first := h.known()
	old := h.said.Load()
	shown := h.show(t)
	stops(t, h, first, shown, pin.ErrOtherKey, question)

	h.said.Store(nil)
	stops(t, h, first, shown, pin.ErrUnsigned, question)

	strange, err := vaulttest.New(t).Vouch(t.Context(), shown)
	if err != nil {
		t.Fatal(err)
	}
	h.said.Store(&strange)
	stops(t, h, first, shown, pin.ErrStranger, question)

	// What it says otherwise is not taken for the server's word.
	h.refusing.Store(true)
	_, err = h.client(t, first, nil).SealStatus(t.Context())
	if _, ok := errors.AsType[*api.Error](err); ok || !errors.Is(err, client.ErrUnreachable) {
		t.Errorf("a stranger was heard: %v", err)
	}
	h.refusing.Store(false)
	h.requests()

	// A statement that was good once, of a key that was replaced since.
	replaced := h.vouch(t, shown)
	latest := h.vouch(t, old.Key)
	h.said.Store(replaced)
	stops(t, h, pin.Pin{Key: latest.Key, Vault: latest.Vault, Issued: latest.Issued}, shown, pin.ErrOlder, question)
}

// With the vault's signature clients go on, and the pin moves once.
func TestKeyChange(t *testing.T) {
	h := newHost(t)
	first := h.known()
	var moved []pin.Pin
	c := h.client(t, first, func(next pin.Pin) { moved = append(moved, next) })
	shown := h.show(t)
	h.vouch(t, shown)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.WhoAmI(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(moved) != 1 || !moved[0].Key.Is(shown) || !moved[0].Vault.Equal(first.Vault) || moved[0].Issued != h.known().Issued {
		t.Errorf("moved to %v", moved)
	}
	asked := h.requests()
	questions := len(slices.DeleteFunc(slices.Clone(asked), func(s string) bool { return s != question }))
	if questions != 1 || len(asked) != 9 {
		t.Errorf("asked %q", asked)
	}
	// What it is known by now is good for others, and with a body too.
	again := h.client(t, moved[0], nil)
	h.vouch(t, h.show(t))
	if _, err := again.Freeze(t.Context(), api.FreezeTarget{Kind: "namespace", Name: "none"}); !errors.Is(err, api.NotFound) {
		t.Errorf("%v", err)
	}
}

// The first meeting says what to pin; a statement about another key says nothing.
func TestMeet(t *testing.T) {
	h := newHost(t)
	c := h.client(t, pin.Pin{Key: h.known().Key}, nil)
	met, err := c.Meet(t.Context())
	if want := h.known(); err != nil || !met.Key.Is(want.Key) || !met.Vault.Equal(want.Vault) || met.Issued != want.Issued {
		t.Errorf("%+v, %v", met, err)
	}
	h.vouch(t, proof.TLSKey{1})
	if met, err := c.Meet(t.Context()); err != nil || met.Vault != nil || !met.Key.Is(c.Pin().Key) {
		t.Errorf("behind a proxy: %+v, %v", met, err)
	}
	stranger, err := client.New(client.Config{URL: h.url})
	if err != nil {
		t.Fatal(err)
	}
	h.requests()
	_, err = stranger.Meet(t.Context())
	if shown, why, ok := client.Untrusted(err); !ok || !shown.Is(c.Pin().Key) || why == nil || h.requests() != nil {
		t.Errorf("not known, and %v", err)
	}
	if hint := client.Hint(err); !strings.Contains(hint, "--pin "+c.Pin().Key.String()) {
		t.Errorf("hint %q", hint)
	}
	trusted := httptest.NewTLSServer(h.Handler)
	defer trusted.Close()
	trusting, err := client.New(client.Config{URL: trusted.URL, HTTP: trusted.Client()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trusting.SealStatus(t.Context()); err != nil {
		t.Errorf("by its certificate: %v", err)
	}
	trusting.Know(pin.Pin{Key: proof.TLSKey{1}})
	trusted.CloseClientConnections()
	if _, err := trusting.SealStatus(t.Context()); !errors.Is(err, pin.ErrNoVoucher) {
		t.Errorf("by another key since: %v", err)
	}
	if _, err := client.New(client.Config{URL: "http://127.0.0.1:1", Pin: &met}); !errors.Is(err, client.ErrPinnedHTTP) {
		t.Errorf("without TLS: %v", err)
	}
}
