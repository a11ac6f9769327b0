package vault_test

import (
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// ready returns a host with a live token for one secret.
func ready(t *testing.T) (*vault.Vault, *host, vault.Secret, []byte) {
	t.Helper()
	v := vaulttest.New(t)
	s := keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	return v, h, s, h.approved("app", "KEY").Token.Reveal()
}

func TestFetch(t *testing.T) {
	v, h, s, bearer := ready(t)
	values, err := h.fetch("app", bearer)
	if err != nil {
		t.Fatal(err)
	}
	if len(values) != 1 || values["KEY"] != "value" {
		t.Errorf("got %v", values)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	r := rows[0]
	if r.Action != "get_secrets" || *r.AgentID != "bot" || len(r.Resources) != 1 || r.Resources[0].Path != "key" || r.Resources[0].Decision != "allowed" {
		t.Errorf("recorded %+v", r)
	}
	next := opaque.New([]byte("rotated"))
	if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{Value: &next}); err != nil {
		t.Fatal(err)
	}
	if values, err := h.fetch("app", bearer); err != nil || values["KEY"] != "rotated" {
		t.Errorf("got %v, %v", values, err) // values are the current ones
	}
	intact(t, v)
}

func TestFetchRefuses(t *testing.T) {
	v, h, _, bearer := ready(t)
	other := enrol(t, v, "", "other")
	good := func() vault.FetchRequest {
		return vault.FetchRequest{
			Project: "app", Bearer: opaque.New(bearer),
			Attestation: h.sign("GET", "/project/secrets/app", "", proof.AuthTokenID(string(bearer))),
		}
	}
	for name, c := range map[string]struct {
		change func(*vault.FetchRequest)
		target error
	}{
		"no token":        {func(r *vault.FetchRequest) { r.Bearer = opaque.Bytes{} }, vault.ErrUnauthorized},
		"unknown token":   {func(r *vault.FetchRequest) { r.Bearer = opaque.New([]byte(sum(bearer))) }, vault.ErrUnauthorized},
		"huge token":      {func(r *vault.FetchRequest) { r.Bearer = opaque.New(make([]byte, 1<<20)) }, vault.ErrUnauthorized},
		"not a JWT":       {func(r *vault.FetchRequest) { r.Bearer = opaque.New([]byte("a.b.c")) }, vault.ErrUnauthorized},
		"device token":    {func(r *vault.FetchRequest) { r.Bearer = h.access }, vault.ErrUnauthorized},
		"unknown project": {func(r *vault.FetchRequest) { r.Project = "nothing" }, vault.ErrUnauthorized},
		"no attestation":  {func(r *vault.FetchRequest) { r.Attestation = nil }, vault.ErrUnauthorized},
		"other project": {func(r *vault.FetchRequest) {
			r.Attestation = h.sign("GET", "/project/secrets/b", "", proof.AuthTokenID(string(bearer)))
		}, vault.ErrUnauthorized},
		"a body": {func(r *vault.FetchRequest) {
			r.Attestation = h.sign("GET", "/project/secrets/app", "x", proof.AuthTokenID(string(bearer)))
		}, vault.ErrUnauthorized},
		"other bearer": {func(r *vault.FetchRequest) {
			r.Attestation = h.sign("GET", "/project/secrets/app", "", proof.AuthTokenID("x"))
		}, vault.ErrUnauthorized},
		"other's session": {func(r *vault.FetchRequest) {
			r.Attestation = other.sign("GET", "/project/secrets/app", "", proof.AuthTokenID(string(bearer)))
		}, vault.ErrUnauthorized},
		"spliced signature": {func(r *vault.FetchRequest) { r.Attestation.JTI += "x" }, vault.ErrUnauthorized},
		"old":               {func(r *vault.FetchRequest) { r.Attestation.TS -= 400 }, vault.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			c.change(&r)
			_, err := v.FetchSecrets(t.Context(), vaulttest.Origin, r)
			want(t, err, c.target)
		})
	}
	r := good()
	if _, err := v.FetchSecrets(t.Context(), vaulttest.Origin, r); err != nil {
		t.Fatal(err)
	}
	_, err := v.FetchSecrets(t.Context(), vaulttest.Origin, r)
	want(t, err, vault.ErrReplay)
}

// Everything that takes a secret away takes effect on tokens that were issued.
func TestWithdrawn(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	for name, withdraw := range map[string]func(*testing.T, *vault.Vault, vault.Secret) error{
		"grant deleted": func(t *testing.T, v *vault.Vault, _ vault.Secret) error {
			all, err := v.ProjectGrants(ctx, admin, "", "app")
			if err != nil || len(all) != 1 {
				t.Fatalf("got %v, %v", all, err)
			}
			return v.DeleteProjectGrant(ctx, admin, "app", all[0].ID)
		},
		"secret deleted": func(_ *testing.T, v *vault.Vault, s vault.Secret) error { return v.DeleteSecret(ctx, admin, s.ID) },
		"secret replaced by another of its path": func(t *testing.T, v *vault.Vault, s vault.Secret) error {
			if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
				return err
			}
			keep(t, v, "", "key", "somebody else's")
			return nil
		},
		"policy": func(_ *testing.T, v *vault.Vault, _ vault.Secret) error {
			_, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "late", AgentPattern: "bot", Denied: []string{"key"}})
			return err
		},
		"policy that allows something else": func(_ *testing.T, v *vault.Vault, _ vault.Secret) error {
			_, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "late", AgentPattern: "*", Allowed: []string{"other/*"}})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, h, s, bearer := ready(t)
			if err := withdraw(t, v, s); err != nil {
				t.Fatal(err)
			}
			res, err := h.fetchResult("app", bearer)
			if err != nil {
				t.Fatal(err)
			}
			if len(res.Values) != 0 || !slices.Equal(res.Withheld, []string{"KEY"}) {
				t.Errorf("got %d values, withheld %v", len(res.Values), res.Withheld)
			}
		})
	}
}

// Approvals hang on grants: what was taken away is asked for again.
func TestDeletedGrantIsAskedForAgain(t *testing.T) {
	v, h, _, _ := ready(t)
	all, err := v.ProjectGrants(t.Context(), vaulttest.Admin, "default", "app")
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	if err := v.DeleteProjectGrant(t.Context(), vaulttest.Admin, "app", all[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.rediscover("app", "KEY")
	wantPending(t, err, "KEY")
}

func TestRevoke(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, bearer := ready(t)
	already, err := v.RevokeProject(ctx, admin, "", "app")
	if err != nil || already {
		t.Fatalf("already %v, %v", already, err)
	}
	if already, err := v.RevokeProject(ctx, admin, "", "app"); err != nil || !already {
		t.Errorf("already %v, %v", already, err)
	}
	_, err = v.RevokeProject(ctx, admin, "", "nothing")
	want(t, err, vault.ErrNotFound)
	_, err = h.fetch("app", bearer)
	want(t, err, vault.ErrTokenRevoked)
	all, err := v.Projects(ctx, admin, "")
	if err != nil || all[0].Status != "revoked" || all[0].TokenRevoked == nil {
		t.Errorf("got %+v, %v", all, err)
	}
	res, err := h.discover("app", "KEY") // the approval stands: a fresh one, unasked
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.fetch("app", res.Token.Reveal()); err != nil {
		t.Error(err)
	}
	_, err = h.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
}

// However a token ends, the JWT that was minted beside it ends too, and with the
// same words.
func TestSignedTokenEnds(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	for name, end := range map[string]struct {
		do     func(*vault.Vault, *host) error
		target error
	}{
		"rotated": {func(_ *vault.Vault, h *host) error { _, err := h.rediscover("app", "KEY"); return err }, vault.ErrUnauthorized},
		"revoked": {func(v *vault.Vault, _ *host) error { _, err := v.RevokeProject(ctx, admin, "", "app"); return err }, vault.ErrTokenRevoked},
		"revoked and renewed": {func(v *vault.Vault, h *host) error {
			if _, err := v.RevokeProject(ctx, admin, "", "app"); err != nil {
				return err
			}
			_, err := h.discover("app", "KEY")
			return err
		}, vault.ErrUnauthorized},
		"agent deleted": {func(v *vault.Vault, _ *host) error { return v.DeleteAgent(ctx, admin, "", "bot") }, vault.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			v, h, _, _ := ready(t)
			q := h.ask("app", "KEY")
			q.Regenerate, q.SignedToken = true, true
			res, err := h.send(q)
			if err != nil {
				t.Fatal(err)
			}
			jwt, random := []byte(*res.Signed), res.Token.Reveal()
			if values, err := h.fetch("app", jwt); err != nil || values["KEY"] != "value" {
				t.Fatalf("got %v, %v", values, err)
			}
			if _, err := h.fetch("other", jwt); err == nil {
				t.Error("the JWT opens another project")
			}
			if err := end.do(v, h); err != nil {
				t.Fatal(err)
			}
			for _, bearer := range [][]byte{jwt, random} {
				_, err = h.fetch("app", bearer)
				want(t, err, end.target)
			}
		})
	}
}

func TestDeletedAgentLosesEverything(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, bearer := ready(t)
	if err := v.DeleteAgent(ctx, admin, "", "bot"); err != nil {
		t.Fatal(err)
	}
	_, err := h.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
	_, err = h.discover("app", "KEY")
	want(t, err, vault.ErrUnauthorized)
	_, err = h.tryAttest("0000")
	want(t, err, vault.ErrUnauthorized)
	heir := enrol(t, v, "", "bot") // the same name, another agent
	_, err = heir.discover("app", "KEY")
	wantPending(t, err, "KEY")
	_, err = heir.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
}

func TestDeletedApprovalEndsItsToken(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, bearer := ready(t)
	all, err := v.PendingGrants(ctx, admin)
	if err != nil || len(all) != 1 || all[0].Status != "approved" {
		t.Fatalf("got %+v, %v", all, err)
	}
	if err := v.DeleteGrant(ctx, admin, all[0].ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.fetch("app", bearer)
	want(t, err, vault.ErrTokenRevoked)
	_, err = h.discover("app", "KEY")
	wantPending(t, err, "KEY")
}

func TestHoneyByGrant(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, s, bearer := ready(t)
	if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Honey: new(true)}); err != nil {
		t.Fatal(err)
	}
	_, err := h.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
	got := actions(t, v, 3)
	if !slices.Equal(got, []string{"freeze success", "honey_token_access alarm", "get_secrets denied"}) {
		t.Errorf("recorded %v", got)
	}
	_, err = h.fetch("app", bearer)
	want(t, err, vault.ErrTokenRevoked)
	_, err = h.discover("app", "KEY")
	want(t, err, vault.ErrUnauthorized)
	agents, err := v.Agents(ctx, admin, "")
	if err != nil || !agents[0].Frozen {
		t.Errorf("got %+v, %v", agents, err)
	}
	intact(t, v)
}

func TestWithoutAttestation(t *testing.T) {
	v := vaulttest.On(t, storeFor(t), vault.Config{})
	keep(t, v, "", "key", "value")
	h := register(t, v, "", "bot")
	q := h.ask("app", "KEY")
	_, err := v.Discover(t.Context(), vaulttest.Origin, q.DiscoverRequest)
	p := wantPending(t, err, "KEY")
	if _, err := v.ApproveGrant(t.Context(), vaulttest.Admin, p.GrantID, vault.Approval{}); err != nil {
		t.Fatal(err)
	}
	res, err := v.Discover(t.Context(), vaulttest.Origin, h.ask("app", "KEY").DiscoverRequest)
	if err != nil {
		t.Fatal(err)
	}
	got, err := v.FetchSecrets(t.Context(), vaulttest.Origin, vault.FetchRequest{Project: "app", Bearer: res.Token})
	if err != nil || string(got.Values["KEY"].Reveal()) != "value" {
		t.Errorf("got %v", err)
	}
}
