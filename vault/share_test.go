package vault_test

import (
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// namespace makes one.
func namespace(t *testing.T, v *vault.Vault, name string) {
	t.Helper()
	if _, err := v.CreateNamespace(t.Context(), vaulttest.Admin, name, nil); err != nil {
		t.Fatal(err)
	}
}

// share puts a secret into a namespace.
func share(t *testing.T, v *vault.Vault, id, ns, path string) {
	t.Helper()
	if _, err := v.ShareSecret(t.Context(), vaulttest.Admin, id, ns, path); err != nil {
		t.Fatal(err)
	}
}

// An agent of the other namespace asks for the path there, is approved, and gets
// the value; taken back, it is gone at once, also for the token it has.
func TestSharedSecretIsDelivered(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "openai/key", "sk-1")
	h := enrol(t, v, "team", "bot")
	if res, err := h.discover("app", "SHARED_OPENAI"); err != nil || len(res.Mapped) != 0 {
		t.Fatalf("before it was shared: %+v, %v", res, err)
	}
	share(t, v, s.ID, "team", "shared/openai")
	res := h.approved("app", "SHARED_OPENAI", "OPENAI_KEY")
	if res.Mapped["SHARED_OPENAI"] != "shared/openai" || len(res.Mapped) != 1 {
		t.Fatalf("mapped %v", res.Mapped)
	}
	token := res.Token.Reveal()
	if got, err := h.fetch("app", token); err != nil || got["SHARED_OPENAI"] != "sk-1" {
		t.Fatalf("got %v, %v", got, err)
	}
	change(t, v, s.ID, "sk-2")
	if got, err := h.fetch("app", token); err != nil || got["SHARED_OPENAI"] != "sk-2" {
		t.Fatalf("got %v, %v", got, err)
	}
	all, err := v.ProjectGrants(ctx, admin, "team", "app")
	if err != nil || len(all) != 1 || all[0].SecretPath != "shared/openai" || all[0].Namespace != "team" {
		t.Errorf("grants %+v, %v", all, err)
	}
	if err := v.UnshareSecret(ctx, admin, s.ID, "team"); err != nil {
		t.Fatal(err)
	}
	if res, err := h.fetchResult("app", token); err != nil || len(res.Values) != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
	// Shared anew it is granted to nobody.
	share(t, v, s.ID, "team", "shared/openai")
	if res, err := h.fetchResult("app", token); err != nil || len(res.Values) != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
	intact(t, v)
}

// The policies of the namespace speak of the path there, and of no other.
func TestSharedSecretAndPolicies(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "open", "v")
	h := enrol(t, v, "team", "bot")
	share(t, v, s.ID, "team", "closed/open")
	token := h.approved("app", "CLOSED_OPEN").Token.Reveal()
	p, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "*", Namespace: "team", Denied: []string{"closed/*"}})
	if err != nil {
		t.Fatal(err)
	}
	if res, err := h.fetchResult("app", token); err != nil || len(res.Withheld) != 1 {
		t.Errorf("got %+v, %v", res, err)
	}
	rows, _, err := v.AuditLog(ctx, admin, vault.AuditQuery{Limit: 1})
	if err != nil || !strings.Contains(decisions(rows[0]), "closed/open=denied:policy=p") {
		t.Errorf("recorded %v, %v", rows, err)
	}
	if err := v.DeletePolicy(ctx, admin, p.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "q", AgentPattern: "*", Denied: []string{"open"}}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.fetch("app", token); err != nil || got["CLOSED_OPEN"] != "v" {
		t.Errorf("a policy about the path elsewhere: %v, %v", got, err)
	}
}

// A shared trap is a trap.
func TestSharedHoney(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "bait", Type: vault.KeyValue, Value: opaque.New([]byte("x")), Honey: true})
	if err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "team", "bot")
	share(t, v, s.ID, "team", "root_password")
	if res, err := h.discover("app", "ROOT_PASSWORD"); err != nil || len(res.Mapped) != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
	if n := count(t, v, "honey_token_access", "root_password"); n != 1 {
		t.Errorf("%d alarms", n)
	}
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, Namespace: "team"}); err != nil {
		t.Fatal(err)
	}
	token := h.approved("app", "ROOT_PASSWORD").Token.Reveal()
	_, err = h.fetch("app", token)
	want(t, err, vault.ErrUnauthorized)
	if n := count(t, v, "honey_token_access", "root_password"); n < 2 {
		t.Errorf("%d alarms", n)
	}
}

// One path of a namespace is one secret's, whichever way it got there.
func TestSharesCollide(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	a, b := keep(t, v, "", "a", "1"), keep(t, v, "", "b", "2")
	own := keep(t, v, "team", "own", "3")
	share(t, v, a.ID, "team", "")
	for name, err := range map[string]error{
		"over an own one":   func() error { _, err := v.ShareSecret(ctx, admin, b.ID, "team", "own"); return err }(),
		"over a shared one": func() error { _, err := v.ShareSecret(ctx, admin, b.ID, "team", "a"); return err }(),
		"twice":             func() error { _, err := v.ShareSecret(ctx, admin, a.ID, "team", "c"); return err }(),
		"own over a shared": func() error {
			_, err := v.CreateSecret(ctx, admin, vault.NewSecret{Namespace: "team", Path: "a", Type: vault.KeyValue})
			return err
		}(),
		"trap over a shared": func() error {
			_, err := v.CreateSecret(ctx, admin, vault.NewSecret{Namespace: "team", Path: "a", Type: vault.KeyValue, Honey: true})
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s: it works", name)
		}
		want(t, err, vault.ErrExists)
	}
	_, err := v.ShareSecret(ctx, admin, a.ID, "default", "c")
	wantInvalid(t, err, "namespace")
	_, err = v.ShareSecret(ctx, admin, a.ID, "nowhere", "")
	wantInvalid(t, err, "namespace")
	_, err = v.ShareSecret(ctx, admin, a.ID, "team", "../x")
	wantInvalid(t, err, "key_path")
	_, err = v.ShareSecret(ctx, admin, "no such id", "team", "")
	want(t, err, vault.ErrNotFound)
	want(t, v.UnshareSecret(ctx, admin, b.ID, "team"), vault.ErrNotFound)
	want(t, v.UnshareSecret(ctx, admin, a.ID, "a\x00b"), vault.ErrNotFound)
	if all, err := v.Namespaces(ctx, admin); err != nil || len(all) != 2 {
		t.Errorf("a refused share made a namespace: %v, %v", all, err)
	}

	// A deleted secret does not come back over a share that took its path.
	if err := v.DeleteSecret(ctx, admin, own.ID); err != nil {
		t.Fatal(err)
	}
	share(t, v, b.ID, "team", "own")
	_, err = v.UndeleteSecret(ctx, admin, own.ID)
	want(t, err, vault.ErrExists)
}

// Deleting the owner's secret deletes its shares; deleting the namespace it is
// shared into takes it out of there and leaves it where it is; the owner's
// namespace stays while it has it.
func TestSharesAndDeletion(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "owner", "key", "v")
	namespace(t, v, "team")
	share(t, v, s.ID, "team", "")
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, Namespace: "team"}); err != nil {
		t.Fatal(err)
	}
	want(t, v.DeleteNamespace(ctx, admin, "owner"), vault.ErrInUse)
	if err := v.DeleteNamespace(ctx, admin, "team"); err != nil {
		t.Fatal(err)
	}
	if all, err := v.SecretShares(ctx, admin, s.ID); err != nil || len(all) != 0 {
		t.Errorf("shares %v, %v", all, err)
	}
	if all, err := v.ProjectGrants(ctx, admin, "", "app"); err != nil || len(all) != 0 {
		t.Errorf("grants %v, %v", all, err)
	}
	wantValue(t, v, s.ID, 0, "v")

	// Somebody makes the namespace anew: nothing of it is there.
	namespace(t, v, "team")
	_, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, Namespace: "team"})
	want(t, err, vault.ErrNotFound)
	share(t, v, s.ID, "team", "")
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := v.UndeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	if all, err := v.SecretShares(ctx, admin, s.ID); err != nil || len(all) != 0 {
		t.Errorf("shares came back: %v, %v", all, err)
	}
	intact(t, v)
}

// Whoever is confined to a namespace shares into no other, and cuts what was
// shared into it.
func TestSharesAndConfinedCallers(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "owner", "key", "v")
	namespace(t, v, "team")
	owner, team := admin, admin
	owner.Role, owner.Namespaces = "admin", []string{"owner"}
	team.Role, team.Namespaces = "admin", []string{"team"}
	_, err := v.ShareSecret(ctx, owner, s.ID, "team", "")
	want(t, err, vault.ErrDenied)
	_, err = v.ShareSecret(ctx, team, s.ID, "team", "")
	want(t, err, vault.ErrNotFound)
	share(t, v, s.ID, "team", "")
	_, _, err = v.ReadSecret(ctx, team, s.ID)
	want(t, err, vault.ErrDenied)
	for name, err := range map[string]error{
		"versions": func() error { _, err := v.SecretVersions(ctx, team, s.ID); return err }(),
		"rollback": func() error { _, err := v.RollbackSecret(ctx, team, s.ID, vault.Rollback{Version: 1}); return err }(),
		"update": func() error {
			_, err := v.UpdateSecret(ctx, team, s.ID, vault.SecretChange{MaxVersions: 1})
			return err
		}(),
		"delete":  v.DeleteSecret(ctx, team, s.ID),
		"destroy": func() error { _, err := v.DestroySecret(ctx, team, s.ID); return err }(),
		"create": func() error {
			_, err := v.CreateSecret(ctx, team, vault.NewSecret{Path: "x", Namespace: "owner", Type: vault.KeyValue})
			return err
		}(),
	} {
		if err == nil {
			t.Errorf("%s works", name)
		}
		want(t, err, vault.ErrDenied)
	}
	_, err = v.CreateProjectGrant(ctx, team, vault.NewProjectGrant{Project: "p", SecretID: s.ID})
	want(t, err, vault.ErrNotFound)
	if _, err := v.CreateProjectGrant(ctx, team, vault.NewProjectGrant{Project: "p", SecretID: s.ID, Namespace: "team"}); err != nil {
		t.Error(err)
	}
	if all, err := v.Secrets(ctx, team, vault.SecretFilter{}); err != nil || len(all) != 0 {
		t.Errorf("sees %v, %v", all, err)
	}
	if all, err := v.ProjectGrants(ctx, owner, "", "p"); err != nil || len(all) != 0 {
		t.Errorf("sees grants %v, %v", all, err)
	}
	if err := v.UnshareSecret(ctx, team, s.ID, "team"); err != nil {
		t.Error(err)
	}
	if err := v.DeleteSecret(ctx, owner, s.ID); err != nil {
		t.Error(err)
	}
	_, err = v.UndeleteSecret(ctx, team, s.ID)
	want(t, err, vault.ErrNotFound)
}
