package vault_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// vouched has a vault vouch for a key and checks what it says.
func vouched(t *testing.T, v *vault.Vault, key proof.TLSKey) vault.ServerKey {
	t.Helper()
	s, err := v.Vouch(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if !s.Signed(s.Signature) || !s.Key.Is(key) {
		t.Errorf("%s is not signed", s.Message())
	}
	return s
}

// A vault has one identity, through a rotation of its key and in another process,
// and says things one after the other, whatever the clock says.
func TestVouch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		v := vaulttest.On(t, db, vault.Config{})
		first := vouched(t, v, proof.TLSKey{1})
		if again := vouched(t, v, proof.TLSKey{1}); again.Issued != first.Issued+1 {
			t.Errorf("two within a second: %d and %d", first.Issued, again.Issued)
		}
		time.Sleep(time.Hour)
		second := vouched(t, v, proof.TLSKey{2})
		if second.Issued != time.Now().Unix() || !second.Vault.Equal(first.Vault) {
			t.Errorf("%+v and %+v", first, second)
		}
		rotated(t, v, "next password")
		if got := actions(t, v, 1); got[0] != "rotate_kek success" {
			t.Errorf("%v", got)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		v, err := reopened(t, db, "next password")
		if err != nil {
			t.Fatal(err)
		}
		if public, err := v.Identity(t.Context()); err != nil || !public.Equal(first.Vault) {
			t.Errorf("%x, %v", public, err)
		}
		third := vouched(t, v, proof.TLSKey{3})
		if !third.Vault.Equal(first.Vault) || third.Issued <= second.Issued {
			t.Errorf("%+v and %+v", second, third)
		}
		if got := actions(t, v, 1); got[0] != "server_key_vouch success" {
			t.Errorf("%v", got)
		}
	})
}

// A clock that was ahead leaves the vault a word that is taken, and steps back by
// a few minutes make it no earlier.
func TestVouchAheadOfTheClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		var last vault.ServerKey
		for range 2 * int(proof.MaxAhead/time.Second) {
			s := vouched(t, v, proof.TLSKey{1})
			if ahead := time.Until(time.Unix(s.Issued, 0)); ahead > proof.MaxAhead {
				t.Fatalf("a statement is %s ahead of the clock", ahead)
			}
			if s.Issued != last.Issued+1 && s.Issued != time.Now().Unix() {
				t.Fatalf("%d after %d, at %d", s.Issued, last.Issued, time.Now().Unix())
			}
			last = s
		}
	})
}
