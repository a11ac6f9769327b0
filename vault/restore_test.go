package vault

import (
	"errors"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Whoever can write to the file still cannot say that somebody confirmed, nor
// use a confirmation of another restoring.
func TestConfirmationIsGenuine(t *testing.T) {
	v, one, _ := twoPersons(t)
	ctx, operator, password := t.Context(), opaque.New([]byte("operator password")), opaque.New([]byte("bob chose this"))
	if err := v.Seal(ctx, one); err != nil {
		t.Fatal(err)
	}
	if err := v.MarkConfirmed(ctx, time.Now(), operator, "bob", password); err != nil {
		t.Fatal(err)
	}
	if !v.Sealed() {
		t.Error("the vault was left open")
	}
	var genuine restoredRow
	if err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		genuine, err = restored.Get(tx, restoredKey)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for name, forge := range map[string]func(*restoredRow){
		"no tag":         func(r *restoredRow) { r.Tag = nil },
		"another name":   func(r *restoredRow) { r.Confirmed = "eve" },
		"another backup": func(r *restoredRow) { r.Made++ },
		"another time":   func(r *restoredRow) { r.Back++ },
		"nobody":         func(r *restoredRow) { r.Confirmed, r.Tag = "", nil },
	} {
		row := genuine
		forge(&row)
		if err := v.markRestored(ctx, row); err != nil {
			t.Fatal(err)
		}
		if err := v.Unseal(ctx, operator); !errors.Is(err, ErrUnconfirmed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := v.markRestored(ctx, genuine); err != nil {
		t.Fatal(err)
	}
	if err := v.Unseal(ctx, operator); err != nil {
		t.Error(err)
	}
}

// An account whose password somebody else chose is no second person.
func TestForeignPasswordConfirmsNoRestoring(t *testing.T) {
	v, one, two := twoPersons(t)
	ctx, next := t.Context(), opaque.New([]byte("the admin chose that"))
	v.cfg.TwoPerson = false
	if _, err := v.UpdateUser(ctx, one, two.ID, UserChange{Password: &next}); err != nil {
		t.Fatal(err)
	}
	if err := v.Seal(ctx, one); err != nil {
		t.Fatal(err)
	}
	if err := v.MarkConfirmed(ctx, time.Now(), opaque.New([]byte("operator password")), "bob", next); !errors.Is(err, ErrUnauthorized) {
		t.Error(err)
	}
}
