package vault

import (
	"errors"
	"testing"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Checking a password takes a while. One that was replaced meanwhile opens
// nothing.
func TestPasswordReplacedWhileChecked(t *testing.T) {
	v, _, bob := twoPersons(t)
	ctx, password := t.Context(), opaque.New([]byte("bob chose this"))
	row, err := v.rightPassword(ctx, bob.Name, password, access.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	unchanged := func() error {
		return v.do(ctx, bob, record{action: access.Login}, func(o *op) error {
			_, err := o.unchanged(row)
			return err
		})
	}
	if err := unchanged(); err != nil {
		t.Error(err)
	}
	if err := v.ChangeOwnPassword(ctx, bob, password, opaque.New([]byte("bob chose that"))); err != nil {
		t.Fatal(err)
	}
	if err := unchanged(); !errors.Is(err, ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
}

// An account that may something else than when it was let in is let in anew.
func TestCallerIsItsAccount(t *testing.T) {
	v, _, bob := twoPersons(t)
	for name, change := range map[string]func(*access.Caller){
		"role":       func(c *access.Caller) { c.Role = access.Manager },
		"namespaces": func(c *access.Caller) { c.Namespaces = []string{"prod"} },
		"id":         func(c *access.Caller) { c.ID = "another" },
		"credential": func(c *access.Caller) { c.Credential = "" },
	} {
		by := bob
		change(&by)
		if _, err := v.WhoAmI(t.Context(), by); !errors.Is(err, ErrUnauthorized) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := v.WhoAmI(t.Context(), bob); err != nil {
		t.Error(err)
	}
}
