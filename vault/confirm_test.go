package vault

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// twoPersons returns a vault that asks for a second person, and two of them.
func twoPersons(t *testing.T) (v *Vault, one, two access.Caller) {
	t.Helper()
	v = New(Config{DB: storetest.New(t), Params: keyring.Params{Memory: 8 << 10, Time: 1, Threads: 1}, TwoPerson: true})
	if err := v.Init(t.Context(), opaque.New([]byte("operator password"))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	one = access.Caller{Kind: access.Admin, Role: access.Super, Name: "admin"}
	first, next := opaque.New([]byte("the admin chose this")), opaque.New([]byte("bob chose this"))
	bob, err := v.CreateUser(t.Context(), one, NewUser{Name: "bob", Role: access.Super, Password: first})
	if err != nil {
		t.Fatal(err)
	}
	login, err := v.Login(t.Context(), access.Origin{}, bob.Name, first)
	if err != nil {
		t.Fatal(err)
	}
	if two, err = v.AuthenticateAdmin(t.Context(), login.Token, access.Origin{}); err != nil {
		t.Fatal(err)
	}
	if err := v.ChangeOwnPassword(t.Context(), two, first, next); err != nil {
		t.Fatal(err)
	}
	return v, one, two
}

func asked(t *testing.T, err error) *ConfirmationError {
	t.Helper()
	e, ok := errors.AsType[*ConfirmationError](err)
	if !ok {
		t.Fatalf("got %v, want a ConfirmationError", err)
	}
	return e
}

func TestTwoPersons(t *testing.T) {
	v, one, two := twoPersons(t)
	ctx := t.Context()
	first := asked(t, v.confirmed(ctx, one, access.CreateUser, "3 of 5"))
	if again := asked(t, v.confirmed(ctx, one, access.CreateUser, "3 of 5")); again.ID != first.ID {
		t.Error("a repetition is another request")
	}
	other := asked(t, v.confirmed(ctx, one, access.CreateUser, "1 of 5"))
	if _, err := v.Confirm(ctx, one, first.ID); !errors.Is(err, ErrDenied) {
		t.Errorf("one's own: %v", err)
	}
	manager := two
	manager.Role = access.Manager
	if _, err := v.Confirm(ctx, manager, first.ID); !errors.Is(err, ErrDenied) {
		t.Errorf("by a manager: %v", err)
	}
	if _, err := v.Confirm(ctx, two, "nothing"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if c, err := v.Confirm(ctx, two, first.ID); err != nil || *c.ConfirmedBy != "bob" || c.What != "3 of 5" {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := v.Confirm(ctx, two, first.ID); !errors.Is(err, ErrDecided) {
		t.Error(err)
	}
	// It is good for the one who asked, for what was asked, and once.
	asked(t, v.confirmed(ctx, two, access.CreateUser, "3 of 5"))
	if got := asked(t, v.confirmed(ctx, one, access.CreateUser, "1 of 5")); got.ID != other.ID {
		t.Error("another request was confirmed")
	}
	if err := v.confirmed(ctx, one, access.CreateUser, "3 of 5"); err != nil {
		t.Error(err)
	}
	asked(t, v.confirmed(ctx, one, access.CreateUser, "3 of 5"))

	if err := v.RejectConfirmation(ctx, two, other.ID); err != nil {
		t.Error(err)
	}
	if _, err := v.Confirm(ctx, two, other.ID); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if err := v.confirmed(ctx, manager, access.CreateUser, ""); !errors.Is(err, ErrDenied) {
		t.Error(err)
	}
	for n := range maxConfirmations {
		asked(t, v.confirmed(ctx, one, access.CreateUser, time.Duration(n).String()))
		if all, err := v.Confirmations(ctx, one); err != nil || len(all) >= maxConfirmations {
			break
		}
	}
	if err := v.confirmed(ctx, one, access.CreateUser, "one more"); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
	if r, err := v.VerifyAudit(ctx); err != nil || r.Broken != nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestConfirmationEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, one, two := twoPersons(t)
		ctx := context.Background()
		first := asked(t, v.confirmed(ctx, one, access.CreateUser, ""))
		time.Sleep(confirmWithin)
		if _, err := v.Confirm(ctx, two, first.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("too late: %v", err)
		}
		second := asked(t, v.confirmed(ctx, one, access.CreateUser, ""))
		if _, err := v.Confirm(ctx, two, second.ID); err != nil {
			t.Fatal(err)
		}
		time.Sleep(confirmWithin)
		asked(t, v.confirmed(ctx, one, access.CreateUser, ""))
	})
}

func TestOnePersonIsEnough(t *testing.T) {
	v, one, _ := twoPersons(t)
	v.cfg.TwoPerson = false
	if err := v.confirmed(t.Context(), one, access.CreateUser, ""); err != nil {
		t.Error(err)
	}
}
