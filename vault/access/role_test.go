package access

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// declared returns the text of every action in action.go.
func declared(t *testing.T) (all []Action) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "action.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && len(v.Values) == 1 {
			if lit, ok := v.Values[0].(*ast.BasicLit); ok {
				text, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, Action(text))
			}
		}
		return true
	})
	if len(all) < 40 {
		t.Fatalf("found %d actions only", len(all))
	}
	return all
}

// Whoever adds an action says who may do it.
func TestEveryActionHasRoles(t *testing.T) {
	all := declared(t)
	for _, a := range all {
		if _, ok := roles[a]; !ok {
			t.Errorf("%s is not in the table of roles", a)
		}
	}
	if len(roles) != len(all) {
		t.Errorf("%d actions, %d rows", len(all), len(roles))
	}
}

func TestMay(t *testing.T) {
	as := func(r Role) Caller { return Caller{Kind: Admin, Role: r} }
	for _, row := range []struct {
		action                            Action
		super, manager, approver, auditor bool
	}{
		{ListSecrets, true, true, true, true},
		{ReadSecret, true, true, false, false},
		{CreateSecret, true, true, false, false},
		{ApprovePendingGrant, true, true, true, false},
		{DeviceApprove, true, true, true, false},
		{ReadAudit, true, true, false, true},
		{CreateUser, true, false, false, false},
		{Confirm, true, false, false, false},
		{"something_new", true, false, false, false},
	} {
		got := []bool{as(Super).May(row.action), as(Manager).May(row.action), as(Approver).May(row.action), as(Auditor).May(row.action)}
		for i, want := range []bool{row.super, row.manager, row.approver, row.auditor} {
			if got[i] != want {
				t.Errorf("%s, role %d: %t", row.action, i, got[i])
			}
		}
	}
	for _, nobody := range []Caller{{}, as(""), as("root"), {Kind: Agent, Role: Super}, {Kind: Anonymous, Role: Super}} {
		if nobody.May(ListSecrets) {
			t.Errorf("%+v may", nobody)
		}
	}
	if Role("root").Valid() || Role("").Valid() || !Auditor.Valid() {
		t.Error("which roles there are")
	}
}

func TestWithin(t *testing.T) {
	if c := (Caller{Kind: Admin, Role: Manager}); c.Scoped() || !c.Within("any") {
		t.Error("an account for all namespaces")
	}
	if c := (Caller{Kind: Admin, Role: Manager, Namespaces: []string{"a", "b"}}); !c.Scoped() || !c.Within("b") || c.Within("c") || c.Within("") {
		t.Error("an account for two namespaces")
	}
}
