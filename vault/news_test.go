package vault_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// authenticated returns the host's daemon as a caller.
func (h *host) authenticated() access.Caller {
	h.t.Helper()
	by, err := h.v.AuthenticateDaemon(h.t.Context(), vaulttest.Origin, "GET", "/x", h.sign("GET", "/x", "", proof.AgentTokenID(h.agent.AgentID)))
	if err != nil {
		h.t.Fatal(err)
	}
	return by
}

// watch listens as the host's daemon.
func (h *host) watch() *vault.Watch {
	h.t.Helper()
	w, expires, err := h.v.WatchEvents(h.t.Context(), h.authenticated())
	if err != nil || expires.IsZero() {
		h.t.Fatal(expires, err)
	}
	h.t.Cleanup(w.Close)
	return w
}

// heard returns what a watch has heard, which must be something.
func heard(t *testing.T, w *vault.Watch) []vault.Event {
	t.Helper()
	select {
	case <-w.Ready():
	default:
		t.Fatal("nothing was heard")
	}
	events, err := w.Take()
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// A watch that begins after a freeze hears of it, and of none that is somebody
// else's.
func TestStandingFreezesAreTold(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, _ := ready(t)
	other := enrol(t, v, "", "other")
	if _, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeProject, Name: "app"}, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeSecret, Name: "key"}, nil); err != nil {
		t.Fatal(err)
	}
	got := heard(t, h.watch())
	if len(got) != 2 || got[0].What == got[1].What {
		t.Fatalf("heard %+v", got)
	}
	for _, e := range got {
		if e.Kind != vault.EventFreeze || e.Project != "app" || e.Seq == 0 || e.At.IsZero() || len(e.Variables) != map[vault.FreezeKind]int{vault.FreezeSecret: 1}[e.What] {
			t.Errorf("heard %+v", e)
		}
	}
	select {
	case <-other.watch().Ready():
		t.Error("another agent hears of it")
	default:
	}
}

// Whoever does not read misses events, is told so, and holds nobody up.
func TestSlowWatch(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, s, _ := ready(t)
	w := h.watch()
	for n := range 100 {
		value := []byte(fmt.Sprint(n))
		if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Value: new(opaque.New(value))}); err != nil {
			t.Fatal(err)
		}
	}
	events := heard(t, w)
	if len(events) == 0 || len(events) > 64 || events[0].Kind != vault.EventResync {
		t.Fatalf("%d events, the first %+v", len(events), events[0])
	}
	last := uint64(0)
	for _, e := range events[1:] {
		if e.Kind != vault.EventSecretChanged || e.Seq <= last || e.Project != "app" || len(e.Variables) != 1 {
			t.Errorf("%+v after %d", e, last)
		}
		last = e.Seq
	}
	// From here on it hears everything again.
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	told := func(e vault.Event) bool { return e.Kind == vault.EventSecretChanged }
	if events := heard(t, w); !slices.ContainsFunc(events, told) {
		t.Errorf("%+v", events)
	}
}

// What was refused, or rolled back, is not told.
func TestRefusalsAreNotTold(t *testing.T) {
	ctx := t.Context()
	v, h, s, _ := ready(t)
	w := h.watch()
	auditor := access.Caller{Kind: access.Admin, Role: access.Auditor, Name: "eve"}
	elsewhere := access.Caller{Kind: access.Admin, Role: access.Manager, Name: "bob", Namespaces: []string{"prod"}}
	for _, c := range []struct {
		by  access.Caller
		err error
	}{{auditor, vault.ErrDenied}, {elsewhere, vault.ErrNotFound}, {h.authenticated(), vault.ErrDenied}} {
		by := c.by
		_, _, err := v.Freeze(ctx, by, vault.FreezeTarget{Kind: vault.FreezeSecret, ID: s.ID}, nil)
		want(t, err, c.err)
		_, err = v.RevokeProject(ctx, by, "", "app")
		want(t, err, c.err)
		_, err = v.Unfreeze(ctx, by, vault.FreezeTarget{Kind: vault.FreezeSecret, ID: s.ID})
		if err == nil {
			t.Error("unfrozen")
		}
		_, err = v.UpdateSecret(ctx, by, s.ID, vault.SecretChange{Value: new(opaque.New([]byte("x")))})
		want(t, err, c.err)
	}
	select {
	case <-w.Ready():
		events, err := w.Take()
		t.Errorf("heard %+v, %v", events, err)
	default:
	}
}

// A policy, and the allowlist, may change anything: daemons are told to ask
// again, those of a namespace only if it is about that.
func TestResync(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.New(t)
	one, other := enrol(t, v, "", "bot"), enrol(t, v, "prod", "bot")
	w, quiet := one.watch(), other.watch()
	p, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "*", Namespace: "default"})
	if err != nil {
		t.Fatal(err)
	}
	if events := heard(t, w); len(events) != 1 || events[0].Kind != vault.EventResync {
		t.Errorf("%+v", events)
	}
	if err := v.DeletePolicy(ctx, admin, p.ID); err != nil {
		t.Fatal(err)
	}
	if events := heard(t, w); len(events) != 1 || events[0].Kind != vault.EventResync {
		t.Errorf("%+v", events)
	}
	if _, err := v.AllowDaemon(ctx, admin, vault.AllowedDaemon{SHA256: sum(nil), Enabled: true}); err != nil {
		t.Fatal(err)
	}
	for _, w := range []*vault.Watch{w, quiet} {
		if events := heard(t, w); len(events) != 1 || events[0].Kind != vault.EventResync {
			t.Errorf("%+v", events)
		}
	}
}
