package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// change gives a secret a new value.
func change(t *testing.T, v *vault.Vault, id, value string) vault.Secret {
	t.Helper()
	b := opaque.New([]byte(value))
	s, err := v.UpdateSecret(t.Context(), vaulttest.Admin, id, vault.SecretChange{Value: &b})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// value reads one version of a secret, 0 for the current one.
func value(t *testing.T, v *vault.Vault, id string, version uint64) (string, error) {
	t.Helper()
	_, b, err := v.ReadSecretVersion(t.Context(), vaulttest.Admin, id, version)
	return string(b.Reveal()), err
}

func wantValue(t *testing.T, v *vault.Vault, id string, version uint64, want string) {
	t.Helper()
	if got, err := value(t, v, id, version); err != nil || got != want {
		t.Errorf("version %d is %q, %v; want %q", version, got, err, want)
	}
}

func numbers(t *testing.T, v *vault.Vault, id string) string {
	t.Helper()
	all, err := v.SecretVersions(t.Context(), vaulttest.Admin, id)
	if err != nil {
		t.Fatal(err)
	}
	var n []uint64
	for _, s := range all {
		n = append(n, s.Version)
	}
	return fmt.Sprint(n)
}

func TestVersions(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "key", "value 1")
	for n := 2; n <= 13; n++ {
		change(t, v, s.ID, fmt.Sprintf("value %d", n))
	}
	if got := numbers(t, v, s.ID); got != "[13 12 11 10 9 8 7 6 5 4]" {
		t.Errorf("kept %s", got)
	}
	wantValue(t, v, s.ID, 0, "value 13")
	wantValue(t, v, s.ID, 4, "value 4")
	for _, gone := range []uint64{3, 14, 1 << 62} {
		_, err := value(t, v, s.ID, gone)
		want(t, err, vault.ErrNotFound)
	}

	// Fewer are kept: the others go at once. More are kept from now on.
	if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{MaxVersions: 2}); err != nil {
		t.Fatal(err)
	}
	if got := numbers(t, v, s.ID); got != "[13 12]" {
		t.Errorf("kept %s", got)
	}
	if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{MaxVersions: 3}); err != nil {
		t.Fatal(err)
	}
	change(t, v, s.ID, "value 14")
	change(t, v, s.ID, "value 15")
	if got := numbers(t, v, s.ID); got != "[15 14 13]" {
		t.Errorf("kept %s", got)
	}
	for _, n := range []int{-1, 101} {
		_, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{MaxVersions: n})
		wantInvalid(t, err, "max_versions")
	}
	_, err := v.SecretVersions(ctx, admin, "no such id")
	want(t, err, vault.ErrNotFound)
	intact(t, v)
}

func TestRollback(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "key", "good")
	change(t, v, s.ID, "bad")
	r, err := v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 1, Message: new("<script>\n\"it broke\"</script>")})
	if err != nil || r.Version != 3 {
		t.Fatalf("got %+v, %v", r, err)
	}
	wantValue(t, v, s.ID, 0, "good")
	wantValue(t, v, s.ID, 2, "bad")
	all, err := v.SecretVersions(ctx, admin, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if top := all[0]; top.RolledBackTo != 1 || top.By != "admin" || *top.Message != "<script>\n\"it broke\"</script>" || top.Created.IsZero() {
		t.Errorf("got %+v", top)
	}
	_, err = v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 9})
	want(t, err, vault.ErrNotFound)
	_, err = v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{})
	wantInvalid(t, err, "version")
	_, err = v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 1, Message: new("\u202e")})
	wantInvalid(t, err, "message")
	if got := numbers(t, v, s.ID); got != "[3 2 1]" {
		t.Errorf("a refusal left %s", got)
	}
	// The very last one that is kept can be brought back, which pushes it out.
	if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{MaxVersions: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 2}); err != nil {
		t.Fatal(err)
	}
	wantValue(t, v, s.ID, 4, "bad")
	if got := strings.Join(actions(t, v, 2), "; "); got != "read_secret success; rollback_secret success" {
		t.Errorf("recorded %s", got)
	}
}

// Of two who change the same version, one is told.
func TestIfVersion(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "key", "1")
	b := opaque.New([]byte("2"))
	c := vault.SecretChange{Value: &b, IfVersion: 1}
	if _, err := v.UpdateSecret(ctx, admin, s.ID, c); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"value": func() error { _, err := v.UpdateSecret(ctx, admin, s.ID, c); return err }(),
		"description": func() error {
			_, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Description: new("d"), IfVersion: 1})
			return err
		}(),
		"rollback": func() error {
			_, err := v.RollbackSecret(ctx, admin, s.ID, vault.Rollback{Version: 1, IfVersion: 1})
			return err
		}(),
	} {
		if e, ok := errors.AsType[*vault.VersionError](err); !ok || e.Version != 2 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := numbers(t, v, s.ID); got != "[2 1]" {
		t.Errorf("a refusal left %s", got)
	}
	if got := actions(t, v, 1)[0]; !strings.HasSuffix(got, "refused:version") {
		t.Errorf("recorded %q", got)
	}
}

// What is old is as unreadable as what is new once it is pruned.
func TestPruneDropsTheKey(t *testing.T) {
	v := vaulttest.New(t)
	s := keep(t, v, "", "key", "1")
	if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{MaxVersions: 1}); err != nil {
		t.Fatal(err)
	}
	change(t, v, s.ID, "2")
	if got := numbers(t, v, s.ID); got != "[2]" {
		t.Errorf("kept %s", got)
	}
	_, err := v.RollbackSecret(t.Context(), vaulttest.Admin, s.ID, vault.Rollback{Version: 1})
	want(t, err, vault.ErrNotFound)
}
