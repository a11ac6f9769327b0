package vault_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestUnseal(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	keep(t, v, "", "a", "value")
	id := v.ID()
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}

	v = vault.New(vault.Config{DB: db, Params: vaulttest.Cheap})
	want(t, v.Unseal(t.Context(), opaque.New([]byte("wrong"))), vault.ErrWrongPassword)
	want(t, v.Unseal(t.Context(), opaque.Bytes{}), vault.ErrWrongPassword)
	if !v.Sealed() || v.ID() != "" || v.KEKVersion() != 0 {
		t.Error("a wrong password unsealed the vault")
	}
	if err := v.Unseal(t.Context(), vaulttest.Password()); err != nil {
		t.Fatal(err)
	}
	if v.Sealed() || v.ID() != id || v.KEKVersion() != 1 {
		t.Errorf("sealed %v, id %s, KEK version %d", v.Sealed(), v.ID(), v.KEKVersion())
	}
	want(t, v.Init(t.Context(), vaulttest.Password()), vault.ErrInitialized)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if err := v.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
}

func TestNew(t *testing.T) {
	v := vault.New(vault.Config{DB: storetest.New(t), Params: vaulttest.Cheap})
	want(t, v.Unseal(t.Context(), vaulttest.Password()), vault.ErrNotInitialized)
	wantInvalid(t, v.Init(t.Context(), opaque.Bytes{}), "password")
	found, err := v.Initialized(t.Context())
	if err != nil || found {
		t.Errorf("initialised %v, %v", found, err)
	}
}

func TestSealedRefusesEverything(t *testing.T) {
	ctx := t.Context()
	v := vaulttest.New(t)
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	admin := vaulttest.Admin
	for name, op := range map[string]func() error{
		"secrets": func() error { _, err := v.Secrets(ctx, admin, vault.SecretFilter{}); return err },
		"read":    func() error { _, _, err := v.ReadSecret(ctx, admin, "x"); return err },
		"create agent": func() error {
			_, err := v.CreateAgent(ctx, admin, vault.NewAgent{AgentID: "a", Key: vaulttest.Public(vaulttest.NewKey(t))})
			return err
		},
		"audit": func() error { _, _, err := v.AuditLog(ctx, admin, vault.AuditQuery{}); return err },
		"jwks":  func() error { _, err := v.JWKS(ctx); return err },
		"admin": func() error {
			_, err := v.AuthenticateAdmin(ctx, vaulttest.Password(), vaulttest.Origin)
			return err
		},
		"device": func() error {
			_, err := v.AuthenticateDevice(ctx, vaulttest.Password(), vaulttest.Origin)
			return err
		},
		"authorize":   func() error { _, err := v.AuthorizeDevice(ctx, vaulttest.Origin, nil); return err },
		"poll":        func() error { _, err := v.PollDevice(ctx, vaulttest.Origin, "x", nil); return err },
		"attestation": func() error { _, err := v.CheckAttestation(ctx, vaulttest.Origin, "GET", "/", nil); return err },
		"discover":    func() error { _, err := v.Discover(ctx, vaulttest.Origin, vault.DiscoverRequest{}); return err },
		"fetch":       func() error { _, err := v.FetchSecrets(ctx, vaulttest.Origin, vault.FetchRequest{}); return err },
		"health":      func() error { return v.Health(ctx) },
	} {
		t.Run(name, func(t *testing.T) { want(t, op(), vault.ErrSealed) })
	}
}

// The file must hold no value, password or token in clear, whatever was done.
func TestNothingInClear(t *testing.T) {
	path := filepath.Join(t.TempDir(), "vault.db")
	db := storetest.Open(t, path)
	v := vaulttest.On(t, db, vault.Config{RequireAttestation: true})
	canary := "canary-" + sum(random(8))
	var adminToken []byte
	err := v.ResetAdminToken(t.Context(), func(token opaque.Bytes) error {
		adminToken = bytes.Clone(token.Reveal())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s := keep(t, v, "", "key", canary)
	h := enrol(t, v, "", "bot")
	res := h.approved("app", "KEY")
	if _, err := h.fetch("app", res.Token.Reveal()); err != nil {
		t.Fatal(err)
	}
	next := opaque.New([]byte(canary + "-2"))
	if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{Value: &next}); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, needle := range map[string][]byte{
		"value": []byte(canary), "password": vaulttest.Password().Reveal(), "admin token": adminToken,
		"project token": res.Token.Reveal(), "access token": h.access.Reveal(),
	} {
		if bytes.Contains(file, needle) {
			t.Errorf("the file holds the %s in clear", name)
		}
	}
}
