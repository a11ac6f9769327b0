package vault_test

import (
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// superAccounts makes two where that takes two persons.
func superAccounts(t *testing.T, v *vault.Vault) (one, two access.Caller) {
	t.Helper()
	one = account(t, v, "one", access.Super)
	ownPassword(t, v, one)
	asked := mustAsk(t, createUser(t, v, vaulttest.Admin, "two", access.Super), v)
	want(t, confirm(t, v, one, asked), nil)
	two = account(t, v, "two", access.Super)
	ownPassword(t, v, two)
	return one, two
}

// ownPassword has the holder of an account choose the password.
func ownPassword(t *testing.T, v *vault.Vault, by access.Caller) {
	t.Helper()
	want(t, v.ChangeOwnPassword(t.Context(), by, opaque.New([]byte(userPassword)), opaque.New([]byte(userPassword))), nil)
}

func createUser(t *testing.T, v *vault.Vault, by access.Caller, name string, role access.Role) error {
	_, err := v.CreateUser(t.Context(), by, vault.NewUser{Name: name, Role: role, Password: opaque.New([]byte(userPassword))})
	return err
}

func confirm(t *testing.T, v *vault.Vault, by access.Caller, c vault.Confirmation) error {
	_, err := v.Confirm(t.Context(), by, c.ID)
	return err
}

// mustAsk returns the confirmation that err asks for.
func mustAsk(t *testing.T, err error, v *vault.Vault) vault.Confirmation {
	t.Helper()
	e, ok := errors.AsType[*vault.ConfirmationError](err)
	if !ok {
		t.Fatalf("got %v, want a ConfirmationError", err)
	}
	all, err := v.Confirmations(t.Context(), vaulttest.Admin)
	want(t, err, nil)
	for _, c := range all {
		if c.ID == e.ID {
			return c
		}
	}
	t.Fatal("the confirmation is not in the list")
	return vault.Confirmation{}
}

// Nobody becomes two persons by making an account that could confirm.
func TestSuperAccountTakesTwo(t *testing.T) {
	v := vaulttest.On(t, storetest.New(t), vault.Config{TwoPerson: true})
	ctx, admin := t.Context(), vaulttest.Admin
	want(t, createUser(t, v, admin, "manager", access.Manager), nil)
	one := account(t, v, "one", access.Super) // the first: nobody could confirm
	asked := mustAsk(t, createUser(t, v, admin, "two", access.Super), v)
	if asked.Action != access.CreateUser || asked.What != "two: super" || asked.AskedBy != "admin" {
		t.Errorf("%+v", asked)
	}
	_, err := v.Login(ctx, vaulttest.Origin, "two", opaque.New([]byte(userPassword)))
	want(t, err, vault.ErrUnauthorized)
	want(t, createUser(t, v, admin, "one", access.Super), vault.ErrExists)

	// Whoever made the first one knows its password: it neither confirms nor asks.
	want(t, confirm(t, v, one, asked), vault.ErrForeignPassword)
	want(t, createUser(t, v, one, "three", access.Super), vault.ErrForeignPassword)
	ownPassword(t, v, one)
	want(t, confirm(t, v, admin, asked), vault.ErrDenied)
	want(t, confirm(t, v, one, asked), nil)
	mustAsk(t, createUser(t, v, one, "two", access.Super), v) // she did not ask
	want(t, createUser(t, v, admin, "two", access.Super), nil)
	if got := actions(t, v, 1); got[0] != "create_user success" {
		t.Error(got)
	}
	intact(t, v)
}

// wantWhat checks what the second person reads: of which account, whose password
// it has, and what becomes of it.
func wantWhat(t *testing.T, asked vault.Confirmation, of access.Caller, change string) {
	t.Helper()
	chosenBy := of.Name
	if of.Role != access.Super {
		chosenBy = "admin"
	}
	pattern := fmt.Sprintf(`^%s \(%s, %s, password of [0-9-]{10} [0-9:]{8} by %s\)%s$`, of.Name, of.Role, of.ID, chosenBy, change)
	if !regexp.MustCompile(pattern).MatchString(asked.What) {
		t.Errorf("%q, want %q", asked.What, pattern)
	}
}

// What is or becomes super changes with two persons, who see what changes.
func TestSuperAccountChanges(t *testing.T) {
	v := vaulttest.On(t, storetest.New(t), vault.Config{TwoPerson: true})
	one, two := superAccounts(t, v)
	bob := account(t, v, "bob", access.Approver, "prod")
	namespace(t, v, "a")
	namespace(t, v, "b")
	next, yes, no := opaque.New([]byte("another long password")), true, false
	for _, c := range []struct {
		of     access.Caller
		change vault.UserChange
		what   string
	}{
		{two, vault.UserChange{Password: &next}, ", another password"},
		{two, vault.UserChange{Disabled: &yes}, ", disabled"},
		{two, vault.UserChange{Disabled: &no}, ""},
		{two, vault.UserChange{Role: new(access.Manager), Namespaces: &[]string{"a", "b"}}, ", becomes admin, in a b instead of all namespaces"},
		{bob, vault.UserChange{Role: new(access.Super), Namespaces: &[]string{}}, ", becomes super, in all namespaces instead of prod"},
	} {
		asked := mustAsk(t, update(t, v, c.of, c.change), v)
		wantWhat(t, asked, c.of, c.what)
	}
	asked := mustAsk(t, v.DeleteUser(t.Context(), vaulttest.Admin, two.ID), v)
	wantWhat(t, asked, two, "")
	loggedIn(t, v, "two")
	loggedIn(t, v, "bob")
	want(t, confirm(t, v, one, asked), nil)
	want(t, v.DeleteUser(t.Context(), vaulttest.Admin, two.ID), nil)

	// The others' accounts are changed by one.
	want(t, update(t, v, bob, vault.UserChange{Role: new(access.Auditor), Disabled: &yes, Password: &next}), nil)
	want(t, v.DeleteUser(t.Context(), vaulttest.Admin, bob.ID), nil)
	intact(t, v)
}

// A consent is for the account as it was: not for one that was taken over since,
// nor for another of the same name.
func TestSuperAccountTakenOver(t *testing.T) {
	next := opaque.New([]byte("another long password"))
	for name, takeOver := range map[string]func(v *vault.Vault, bob access.Caller) (id string, err error){
		"another password": func(v *vault.Vault, bob access.Caller) (string, error) {
			return bob.ID, update(t, v, bob, vault.UserChange{Password: &next})
		},
		"another account": func(v *vault.Vault, bob access.Caller) (string, error) {
			want(t, v.DeleteUser(t.Context(), vaulttest.Admin, bob.ID), nil)
			u, err := v.CreateUser(t.Context(), vaulttest.Admin, vault.NewUser{Name: "bob", Role: access.Approver, Password: next})
			return u.ID, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := vaulttest.On(t, storetest.New(t), vault.Config{TwoPerson: true})
			one, bob := account(t, v, "one", access.Super), account(t, v, "bob", access.Approver)
			ownPassword(t, v, one)
			ownPassword(t, v, bob)
			promote := vault.UserChange{Role: new(access.Super)}
			want(t, confirm(t, v, one, mustAsk(t, update(t, v, bob, promote), v)), nil)
			id, err := takeOver(v, bob)
			want(t, err, nil)
			mustAsk(t, update(t, v, access.Caller{ID: id}, promote), v)
		})
	}
}

// The first super account is one, also if two are asked for at once.
func TestFirstSuperAccountIsOne(t *testing.T) {
	v := vaulttest.On(t, storetest.New(t), vault.Config{TwoPerson: true})
	var made atomic.Int32
	var wg sync.WaitGroup
	for _, name := range []string{"one", "two", "three"} {
		wg.Go(func() {
			if createUser(t, v, vaulttest.Admin, name, access.Super) == nil {
				made.Add(1)
			}
		})
	}
	wg.Wait()
	if made.Load() != 1 {
		t.Errorf("%d super accounts were made by one person", made.Load())
	}
}
