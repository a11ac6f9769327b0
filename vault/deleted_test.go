package vault_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestUndelete(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "prod", "key", "1")
	change(t, v, s.ID, "2")
	h := enrol(t, v, "prod", "bot")
	token := h.approved("app", "KEY").Token.Reveal()
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"read":     func() error { _, err := value(t, v, s.ID, 0); return err }(),
		"version":  func() error { _, err := value(t, v, s.ID, 1); return err }(),
		"versions": func() error { _, err := v.SecretVersions(ctx, admin, s.ID); return err }(),
		"update": func() error {
			_, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Honey: new(true)})
			return err
		}(),
		"rollback": func() error { _, err := v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 1}); return err }(),
		"share":    func() error { _, err := v.ShareSecret(ctx, admin, s.ID, "default", ""); return err }(),
		"delete":   v.DeleteSecret(ctx, admin, s.ID),
	} {
		if err == nil {
			t.Errorf("%s works on a deleted secret", name)
		}
		want(t, err, vault.ErrNotFound)
	}
	gone, err := v.Secrets(ctx, admin, vault.SecretFilter{Deleted: true, Namespace: "prod"})
	if err != nil || len(gone) != 1 || gone[0].Deleted == nil || gone[0].Destroyed.Sub(*gone[0].Deleted) != 30*day {
		t.Errorf("deleted %+v, %v", gone, err)
	}
	if live, err := v.Secrets(ctx, admin, vault.SecretFilter{}); err != nil || len(live) != 0 {
		t.Errorf("live %+v, %v", live, err)
	}

	// Somebody takes the path: it does not come back over that.
	other := keep(t, v, "prod", "key", "other")
	_, err = v.UndeleteSecret(ctx, admin, s.ID)
	want(t, err, vault.ErrExists)
	if err := v.DeleteSecret(ctx, admin, other.ID); err != nil {
		t.Fatal(err)
	}
	back, err := v.UndeleteSecret(ctx, admin, s.ID)
	if err != nil || back.ID != s.ID || back.Version != 2 {
		t.Fatalf("got %+v, %v", back, err)
	}
	wantValue(t, v, s.ID, 0, "2")
	wantValue(t, v, s.ID, 1, "1")
	// The grants do not come back with it: an old token opens nothing.
	if res, err := h.fetchResult("app", token); err != nil || len(res.Values) != 0 || len(res.Withheld) != 1 {
		t.Errorf("got %+v, %v", res, err)
	}
	_, err = v.UndeleteSecret(ctx, admin, s.ID)
	want(t, err, vault.ErrNotFound)
	intact(t, v)
}

// The namespace of a deleted secret may go, and comes back with it.
func TestUndeleteMakesTheNamespace(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "prod", "key", "1")
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	if err := v.DeleteNamespace(ctx, admin, "prod"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.UndeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	want(t, v.DeleteNamespace(ctx, admin, "prod"), vault.ErrInUse)
}

func TestDestroy(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	live, gone := keep(t, v, "", "live", "1"), keep(t, v, "", "gone", "1")
	for _, s := range []vault.Secret{live, gone} {
		change(t, v, s.ID, "2")
		change(t, v, s.ID, "3")
	}
	if err := v.DeleteSecret(ctx, admin, gone.ID); err != nil {
		t.Fatal(err)
	}
	for _, s := range []vault.Secret{live, gone} {
		if n, err := v.DestroySecret(ctx, admin, s.ID); err != nil || n != 3 {
			t.Errorf("%s: %d, %v", s.Path, n, err)
		}
		_, err := v.DestroySecret(ctx, admin, s.ID)
		want(t, err, vault.ErrNotFound)
		_, err = v.UndeleteSecret(ctx, admin, s.ID)
		want(t, err, vault.ErrNotFound)
	}
	keep(t, v, "", "live", "another")
	intact(t, v)
}

// Thirty days after it was deleted a secret is destroyed, and that is recorded.
func TestDeletedIsDestroyedInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
		s, kept := keep(t, v, "", "key", "1"), keep(t, v, "", "kept", "1")
		if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30*day - time.Hour)
		keepHouse(t, v)
		if n := count(t, v, "destroy_secret", "key"); n != 0 {
			t.Error("destroyed too early")
		}
		time.Sleep(2 * time.Hour)
		keepHouse(t, v)
		if n := count(t, v, "destroy_secret", "key"); n != 1 {
			t.Errorf("recorded %d times", n)
		}
		_, err := v.UndeleteSecret(ctx, admin, s.ID)
		want(t, err, vault.ErrNotFound)
		wantValue(t, v, kept.ID, 0, "1")
		intact(t, v)
	})
}
