package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

// everything plays the story of that name, which has nearly all there is.
func (d *description) everything(t *testing.T) {
	var word vault.ServerKey
	s := servertest.With(t, servertest.Config{
		Unlimited: true, TwoPerson: true, AttestLimit: 10, ServerKey: func() *vault.ServerKey { return &word },
	})
	var err error
	if word, err = s.Vault.Vouch(t.Context(), proof.TLSKey{1}); err != nil {
		t.Fatal(err)
	}
	p := newPlayer(d, s)
	url, posts := receive(t)
	p.live["https://ops.example.com"] = url
	for _, st := range d.story(t, "everything") {
		p.play(t, st)
	}
	p.checkStreams(t)
	p.checkPosts(t, posts)
}

// undelivered plays what happens where a message cannot be delivered.
func (d *description) undelivered(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, NoAttestation: true, Direct: true})
	p := newPlayer(d, s)
	outcomes := []func(vault.Delivery) error{
		func(m vault.Delivery) error {
			return s.Vault.Undeliverable(t.Context(), m, "the receiver answered 404")
		},
		func(m vault.Delivery) error { return s.Vault.Delivered(t.Context(), m) },
		func(m vault.Delivery) error {
			return s.Vault.Undelivered(t.Context(), m, "the receiver answered 404", time.Now().Add(time.Hour))
		},
	}
	for _, st := range d.story(t, "undelivered") {
		p.play(t, st)
		due, _, err := s.Vault.Due(t.Context(), func(string) bool { return false })
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range due {
			if err := outcomes[0](m); err != nil {
				t.Fatal(err)
			}
			outcomes = outcomes[1:]
		}
	}
}

// sealed asks a sealed vault for everything.
func (d *description) sealed(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Unseal: limit.Rate{N: 1, Per: time.Hour}}})
	p := newPlayer(d, s)
	s.Admin(t, http.MethodPost, "/sys/seal", nil, nil)
	for _, op := range d.all() {
		r := p.stranger(t, step{op, "usual", ""})
		r.Header.Set("X-Admin-Token", s.AdminToken)
		a := s.Do(t, r)
		p.check(t, op.id+" while sealed", op, a)
		if _, ok := p.responses(op)["5XX"]; ok && op.id != "sealStatus" && op.id != "unseal" && a.Code() != string(api.Sealed) {
			t.Errorf("%s while sealed: %d %s", op.id, a.Status, a.Body)
		}
	}
	p.limited(t, step{d.operations["unseal"], "wrong", ""})
}

// tooOften asks for everything, with bad credentials, until it is too often.
func (d *description) tooOften(t *testing.T) {
	once := limit.Rate{N: 1, Per: time.Hour}
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Failures: once, Discover: once, Authorize: once, Logins: once, Poll: once, Codes: once}})
	p := newPlayer(d, s)
	for _, op := range d.all() {
		if _, ok := p.responses(op)["429"]; ok && op.id != "unseal" {
			p.limited(t, step{op, "wrong", ""})
		}
	}
}

// limited sends what is refused until it is too often.
func (p *player) limited(t *testing.T, st step) {
	t.Helper()
	var a servertest.Answer
	for range 3 {
		r := p.stranger(t, st)
		for _, scheme := range p.schemes(st.op) {
			showBadly(scheme, r.Header)
		}
		if a = p.s.Do(t, r); a.Status == http.StatusTooManyRequests {
			p.check(t, st.op.id+" too often", st.op, a)
			return
		}
	}
	t.Errorf("%s: %d %s after three times", st, a.Status, a.Body)
}

// inTwoNamespaces asks for things whose names stand in two.
func (d *description) inTwoNamespaces(t *testing.T) {
	p := newPlayer(d, servertest.With(t, servertest.Config{Unlimited: true, NoAttestation: true}))
	for _, st := range d.story(t, "in two namespaces") {
		p.play(t, st)
	}
	for _, op := range d.all() {
		if r := p.responses(op)["409"]; strings.HasSuffix(r.at, "/Ambiguous") {
			p.refused(t, step{op, "usual", ""}, p.request(t, step{op, "usual", ""}), http.StatusConflict, api.Conflict)
		}
	}
}

// rotating asks for another key while one is on its way.
func (d *description) rotating(t *testing.T) {
	p := newPlayer(d, servertest.New(t))
	by := access.Caller{Kind: access.Admin, Name: "admin", Role: access.Super}
	if _, err := p.s.Vault.RotateKEK(t.Context(), by, opaque.New([]byte("next")), opaque.Bytes{}); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"rotateKey"} {
		st := step{d.operations[id], "usual", ""}
		p.refused(t, st, p.request(t, st), http.StatusConflict, api.Conflict)
	}
}

// later looks at what has expired, and at who is too late or too fast.
func (d *description) later(t *testing.T) {
	inBubble(t, limit.Rates{Poll: limit.Rate{N: 1, Per: time.Hour}}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
		id := s.SecretWith(t, map[string]any{"key_path": "a", "secret_type": "KEY_VALUE", "value": "x", "expires_at": time.Now().Add(time.Hour)})
		late, denied := s.Host(t, "late"), s.Host(t, "denied")
		late.Begin(t, late.Init())
		denied.Begin(t, denied.Init())
		s.Admin(t, http.MethodPost, "/admin/web/device/deny", api.UserCode{UserCode: denied.UserCode}, nil)
		d.check(t, "denied", d.operations["deviceToken"], denied.Poll(t))
		d.check(t, "too fast", d.operations["deviceToken"], denied.Poll(t))
		time.Sleep(15 * 24 * time.Hour)
		d.check(t, "later", d.operations["deviceToken"], late.Poll(t))
		d.check(t, "later", d.operations["projectSecrets"], a.Fetch(t, "app", token))
		d.check(t, "later", d.operations["listSecrets"], s.TryAdmin(t, http.MethodGet, "/admin/secrets", nil))
		d.check(t, "later", d.operations["readSecret"], s.TryAdmin(t, http.MethodGet, "/admin/secrets/"+id, nil))
	})
}
