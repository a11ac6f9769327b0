package vault_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// told returns the kinds of the messages that wait.
func told(t *testing.T, v *vault.Vault) (kinds []string) {
	t.Helper()
	for _, d := range drain(t, v) {
		kinds = append(kinds, d.Message.Kind)
	}
	return kinds
}

// What is done to the vault's keys is told, each by itself.
func TestWorkOnKeysIsTold(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	for kind, do := range map[string]func(*vault.Vault) error{
		"shamir_generate": func(v *vault.Vault) error {
			_, err := v.SplitKey(ctx, admin, 2, 3, opaque.Bytes{})
			return err
		},
		"change_password": func(v *vault.Vault) error { return v.ChangePassword(ctx, admin, vaulttest.Password(), text("next")) },
		"rotate_kek": func(v *vault.Vault) error {
			_, err := v.RotateKEK(ctx, admin, text("next"), opaque.Bytes{})
			return err
		},
		"rotate_signing_key": func(v *vault.Vault) error {
			_, err := v.RotateSigningKey(ctx, admin)
			return err
		},
	} {
		t.Run(kind, func(t *testing.T) {
			v := vaulttest.New(t)
			tellTo(t, v, "ops", vault.ChannelFilter{})
			if err := do(v); err != nil {
				t.Fatal(err)
			}
			if got := told(t, v); !slices.Equal(got, []string{kind}) {
				t.Errorf("told %q", got)
			}
		})
	}
}

// A vault that shares opened tells it, and one that went back to a copy.
func TestReturnsAreTold(t *testing.T) {
	db := storetest.New(t)
	v := vaulttest.On(t, db, vault.Config{})
	tellTo(t, v, "ops", vault.ChannelFilter{})
	shares, err := v.SplitKey(t.Context(), vaulttest.Admin, 2, 2, opaque.Bytes{})
	want(t, err, nil)
	drain(t, v)
	want(t, v.MarkRestored(t.Context(), time.Now()), nil)
	want(t, v.Close(), nil)
	v = recovered(t, db, shares)
	got := told(t, v)
	slices.Sort(got)
	if !slices.Equal(got, []string{"recovery_boot", "restore"}) {
		t.Errorf("told %q", got)
	}
}

// So is the end of a secret, before it comes and when it has.
func TestExpiryIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		tellTo(t, v, "ops", vault.ChannelFilter{})
		expiring(t, v, "key", 2*day)
		time.Sleep(day + time.Hour)
		keepHouse(t, v)
		if got := told(t, v); !slices.Equal(got, []string{"secret_expiring"}) {
			t.Errorf("before: told %q", got)
		}
		time.Sleep(day)
		keepHouse(t, v)
		if got := told(t, v); !slices.Equal(got, []string{"secret_expired"}) {
			t.Errorf("after: told %q", got)
		}
	})
}
