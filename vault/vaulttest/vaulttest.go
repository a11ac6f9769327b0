// Package vaulttest gives tests a real vault: on a real file, unsealed, with a
// cheap key derivation, checked for consistency when the test ends.
package vaulttest

import (
	"context"
	"errors"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Cheap is the least a derivation may cost.
var Cheap = keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}

// Password returns the operator password of the vaults made here.
func Password() opaque.Bytes { return opaque.New([]byte("correct horse battery staple")) }

// Admin is the administrator, as authenticated.
var Admin = access.Caller{Kind: access.Admin, Role: access.Super, Name: "admin", Auth: "admin-token", Origin: Origin}

// Origin is where the callers of tests come from.
var Origin = access.Origin{Source: "192.0.2.1"}

// New returns an unsealed vault that requires attestation, on a file that is
// gone when the test ends.
func New(t testing.TB) *vault.Vault {
	return On(t, storetest.New(t), vault.Config{RequireAttestation: true})
}

// On returns the vault kept in db, initialised and unsealed. It is closed when
// the test ends, before db.
func On(t testing.TB, db *store.DB, c vault.Config) *vault.Vault {
	t.Helper()
	c.DB, c.Params, c.TestOnlyAccountCost = db, Cheap, Cheap
	v := vault.New(c)
	found, err := v.Initialized(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	open := v.Init
	if found {
		open = v.Unseal
	}
	if err := open(t.Context(), Password()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !v.Sealed() {
			if err := db.Check(context.Background()); err != nil && !errors.Is(err, store.ErrClosed) {
				t.Errorf("store is inconsistent: %v", err)
			}
		}
		if err := v.Close(); err != nil {
			t.Errorf("closing vault: %v", err)
		}
	})
	return v
}
