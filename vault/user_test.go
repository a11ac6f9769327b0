package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

const userPassword = "a long enough password"

// account makes an account and logs it in.
func account(t *testing.T, v *vault.Vault, name string, role access.Role, namespaces ...string) access.Caller {
	t.Helper()
	for _, ns := range namespaces {
		if _, err := v.CreateNamespace(t.Context(), vaulttest.Admin, ns, nil); err != nil && !errors.Is(err, vault.ErrExists) {
			t.Fatal(err)
		}
	}
	if _, err := v.CreateUser(t.Context(), vaulttest.Admin, vault.NewUser{
		Name: name, Role: role, Namespaces: namespaces, Password: opaque.New([]byte(userPassword)),
	}); err != nil {
		t.Fatal(err)
	}
	return loggedIn(t, v, name)
}

func loggedIn(t *testing.T, v *vault.Vault, name string) access.Caller {
	t.Helper()
	res, err := v.Login(t.Context(), vaulttest.Origin, name, opaque.New([]byte(userPassword)))
	if err != nil {
		t.Fatal(err)
	}
	by, err := v.AuthenticateAdmin(t.Context(), res.Token, vaulttest.Origin)
	if err != nil {
		t.Fatal(err)
	}
	return by
}

func TestLogin(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	by := account(t, v, "alice", access.Auditor, "prod")
	if by.Name != "alice" || by.Role != access.Auditor || by.ID == "" || by.Auth != "login" || !slices.Equal(by.Namespaces, []string{"prod"}) {
		t.Errorf("%+v", by)
	}
	if got := actions(t, v, 2); !slices.Equal(got, []string{"login success", "create_user success"}) {
		t.Errorf("%v", got)
	}
	for name, password := range map[string]string{
		"alice": "another password", "ALICE": userPassword, "bob": userPassword, "": userPassword, "a\x00b": userPassword, "ali": strings.Repeat("x", 1<<20),
	} {
		_, err := v.Login(ctx, vaulttest.Origin, name, opaque.New([]byte(password)))
		want(t, err, vault.ErrUnauthorized)
	}
	for _, token := range []string{"", "x", strings.Repeat("0", 64), strings.Repeat("0", 65)} {
		_, err := v.AuthenticateAdmin(ctx, opaque.New([]byte(token)), vaulttest.Origin)
		want(t, err, vault.ErrUnauthorized)
	}
	if u, err := v.WhoAmI(ctx, by); err != nil || u.Name != "alice" || u.Role != access.Auditor {
		t.Errorf("%+v, %v", u, err)
	}
	if u, err := v.WhoAmI(ctx, vaulttest.Admin); err != nil || u.Name != "admin" || u.ID != "" {
		t.Errorf("%+v, %v", u, err)
	}
	intact(t, v)
}

// A log-in ends by itself, by its owner, and with whatever changes the account.
func TestLoginEnds(t *testing.T) {
	yes, super := true, access.Super
	next := opaque.New([]byte("the next long password"))
	for name, end := range map[string]func(v *vault.Vault, by access.Caller) error{
		"logout":  func(v *vault.Vault, by access.Caller) error { return v.Logout(t.Context(), by) },
		"deleted": func(v *vault.Vault, by access.Caller) error { return v.DeleteUser(t.Context(), vaulttest.Admin, by.ID) },
		"disabled": func(v *vault.Vault, by access.Caller) error {
			return update(t, v, by, vault.UserChange{Disabled: &yes})
		},
		"role": func(v *vault.Vault, by access.Caller) error { return update(t, v, by, vault.UserChange{Role: &super}) },
		"password": func(v *vault.Vault, by access.Caller) error {
			return update(t, v, by, vault.UserChange{Password: &next})
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := vaulttest.New(t)
			account(t, v, "alice", access.Manager)
			res, err := v.Login(t.Context(), vaulttest.Origin, "alice", opaque.New([]byte(userPassword)))
			want(t, err, nil)
			by, err := v.AuthenticateAdmin(t.Context(), res.Token, vaulttest.Origin)
			want(t, err, nil)
			want(t, end(v, by), nil)
			_, err = v.AuthenticateAdmin(t.Context(), res.Token, vaulttest.Origin)
			want(t, err, vault.ErrUnauthorized)
			outside(t, v, by)
			intact(t, v)
		})
	}
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		account(t, v, "alice", access.Manager)
		res, err := v.Login(t.Context(), vaulttest.Origin, "alice", opaque.New([]byte(userPassword)))
		want(t, err, nil)
		time.Sleep(12*time.Hour - time.Minute)
		by, err := v.AuthenticateAdmin(t.Context(), res.Token, vaulttest.Origin)
		want(t, err, nil)
		time.Sleep(2 * time.Minute)
		_, err = v.AuthenticateAdmin(t.Context(), res.Token, vaulttest.Origin)
		want(t, err, vault.ErrUnauthorized)
		outside(t, v, by)
	})
}

// outside checks that a caller that was let in before neither changes nor sees
// anything, and that the trail has it among the failures.
func outside(t *testing.T, v *vault.Vault, by access.Caller) {
	t.Helper()
	want(t, createAgent(t, v, by), vault.ErrUnauthorized)
	if got := actions(t, v, 1); got[0] != "create_agent failed" {
		t.Error(got)
	}
	_, err := v.Agents(t.Context(), by, "")
	want(t, err, vault.ErrUnauthorized)
	if got := actions(t, v, 1); got[0] != "list_agents failed" {
		t.Error(got)
	}
}

func createAgent(t *testing.T, v *vault.Vault, by access.Caller) error {
	_, err := v.CreateAgent(t.Context(), by, vault.NewAgent{AgentID: "late", Key: vaulttest.Public(vaulttest.NewKey(t))})
	return err
}

func update(t *testing.T, v *vault.Vault, by access.Caller, c vault.UserChange) error {
	_, err := v.UpdateUser(t.Context(), vaulttest.Admin, by.ID, c)
	return err
}

func TestOwnPassword(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	by, other := account(t, v, "alice", access.Approver), access.Caller{}
	other = loggedIn(t, v, "alice")
	next := opaque.New([]byte("the next long password"))
	want(t, v.ChangeOwnPassword(ctx, by, opaque.New([]byte("wrong password")), next), vault.ErrUnauthorized)
	wantInvalid(t, v.ChangeOwnPassword(ctx, by, opaque.New([]byte(userPassword)), opaque.New([]byte("short"))), "new_password")
	want(t, v.ChangeOwnPassword(ctx, by, opaque.New([]byte(userPassword)), next), nil)
	if _, err := v.Login(ctx, vaulttest.Origin, "alice", opaque.New([]byte(userPassword))); err == nil {
		t.Error("the old password still opens")
	}
	if _, err := v.Login(ctx, vaulttest.Origin, "alice", next); err != nil {
		t.Error(err)
	}
	if _, err := v.WhoAmI(ctx, by); err != nil {
		t.Errorf("the log-in that changed it: %v", err)
	}
	want(t, v.Logout(ctx, other), vault.ErrUnauthorized) // its log-in is gone already
}

func TestUserRules(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	good := vault.NewUser{Name: "alice", Role: access.Manager, Password: opaque.New([]byte(userPassword))}
	for field, change := range map[string]func(*vault.NewUser){
		"name":       func(n *vault.NewUser) { n.Name = "Admin" },
		"role":       func(n *vault.NewUser) { n.Role = "root" },
		"namespaces": func(n *vault.NewUser) { n.Namespaces = []string{"../x"} },
		// and one that does not exist:
		"namespaces ": func(n *vault.NewUser) { n.Namespaces = []string{vault.DefaultNamespace, "nowhere"} },
		"password":    func(n *vault.NewUser) { n.Password = opaque.New([]byte("elevenbytes")) },
	} {
		n := good
		change(&n)
		_, err := v.CreateUser(ctx, vaulttest.Admin, n)
		wantInvalid(t, err, strings.TrimSpace(field))
	}
	confined := good
	confined.Role, confined.Namespaces = access.Super, []string{"a"}
	_, err := v.CreateUser(ctx, vaulttest.Admin, confined)
	wantInvalid(t, err, "namespaces")
	_, err = v.CreateUser(ctx, vaulttest.Admin, good)
	want(t, err, nil)
	_, err = v.CreateUser(ctx, vaulttest.Admin, good)
	want(t, err, vault.ErrExists)
	want(t, v.DeleteUser(ctx, vaulttest.Admin, "nobody"), vault.ErrNotFound)

	manager := loggedIn(t, v, "alice")
	_, err = v.CreateUser(ctx, manager, vault.NewUser{Name: "eve", Role: access.Super, Password: opaque.New([]byte(userPassword))})
	want(t, err, vault.ErrDenied)
	if got := actions(t, v, 1); got[0] != "create_user denied" {
		t.Error(got)
	}
	_, err = v.UpdateUser(ctx, manager, manager.ID, vault.UserChange{Role: new(access.Super)})
	want(t, err, vault.ErrDenied)
	_, err = v.Users(ctx, manager)
	want(t, err, vault.ErrDenied)
	wantInvalid(t, update(t, v, manager, vault.UserChange{Namespaces: &[]string{"nowhere"}}), "namespaces")
}

// An account that is confined sees and changes nothing outside its namespaces,
// and operations that know of none are not for it.
func TestConfined(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	enrol(t, v, "", "here")
	enrol(t, v, "prod", "there")
	by := account(t, v, "alice", access.Manager, "prod")
	if all, err := v.Agents(ctx, by, ""); err != nil || len(all) != 1 || all[0].AgentID != "there" {
		t.Errorf("%+v, %v", all, err)
	}
	want(t, v.DeleteAgent(ctx, by, "default", "here"), vault.ErrNotFound)
	_, err := v.CreateAgent(ctx, by, vault.NewAgent{AgentID: "new", Key: vaulttest.Public(vaulttest.NewKey(t))})
	want(t, err, vault.ErrDenied)
	_, err = v.CreateAgent(ctx, by, vault.NewAgent{AgentID: "new", Namespace: "prod", Key: vaulttest.Public(vaulttest.NewKey(t))})
	want(t, err, nil)
	want(t, v.DeleteAgent(ctx, by, "prod", "there"), nil)
	// What stands elsewhere too is not ambiguous to who sees one of them.
	enrol(t, v, "", "twin")
	enrol(t, v, "prod", "twin")
	f, _, err := v.Freeze(ctx, by, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "twin"}, nil)
	if err != nil || f.Namespace != "prod" {
		t.Errorf("%+v, %v", f, err)
	}
	want(t, v.DeleteAgent(ctx, by, "", "twin"), nil)
	want(t, v.DeleteAgent(ctx, by, "", "twin"), vault.ErrNotFound)
	if all, err := v.Namespaces(ctx, by); err != nil || len(all) != 1 || all[0].Name != "prod" {
		t.Errorf("%+v, %v", all, err)
	}
	_, err = v.CreatePolicy(ctx, by, vault.NewPolicy{Name: "all", AgentPattern: "*", Denied: []string{"*"}})
	want(t, err, vault.ErrDenied)
	_, err = v.CreatePolicy(ctx, by, vault.NewPolicy{Name: "prod", AgentPattern: "*", Namespace: "prod", Denied: []string{"x"}})
	want(t, err, nil)
	_, err = v.CreateNamespace(ctx, by, "elsewhere", nil)
	want(t, err, vault.ErrDenied)
	_, err = v.AllowDaemon(ctx, by, vault.AllowedDaemon{SHA256: strings.Repeat("0", 64)})
	want(t, err, vault.ErrDenied) // it is about all namespaces
	intact(t, v)
}

// What a guess at an account's password costs is what keyring says, unless a test
// says something else.
func TestAccountCost(t *testing.T) {
	if keyring.AccountCost != keyring.Low {
		t.Errorf("%+v", keyring.AccountCost)
	}
	db := storetest.New(t)
	begin := vault.Config{DB: db, Params: vaulttest.Cheap}
	v := vault.New(begin)
	if err := v.Init(t.Context(), vaulttest.Password()); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreateUser(t.Context(), vaulttest.Admin, vault.NewUser{Name: "alice", Role: access.Super, Password: opaque.New([]byte(userPassword))}); err != nil {
		t.Fatal(err)
	}
	for _, cost := range []keyring.Params{keyring.AccountCost, vaulttest.Cheap} {
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
		begin.TestOnlyAccountCost = cost
		v = vault.New(begin)
		if err := v.Unseal(t.Context(), vaulttest.Password()); err != nil {
			t.Fatal(err)
		}
		_, err := v.Login(t.Context(), vaulttest.Origin, "alice", opaque.New([]byte(userPassword)))
		if known := err == nil; known != (cost == keyring.AccountCost) || !known && !errors.Is(err, vault.ErrUnauthorized) {
			t.Errorf("at %+v: %v", cost, err)
		}
	}
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
}
