package vault_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// command returns one that a daemon measured.
func command(args ...string) *pinned.Command {
	return &pinned.Command{Program: "/usr/bin/deploy", ProgramSHA256: strings.Repeat("a", 64), Args: args, Dir: "/srv/app"}
}

// runs fetches for a command, as a daemon does that says what it runs.
func (h *host) runs(project string, bearer []byte, c *pinned.Command) (vault.FetchResult, error) {
	body := `{"command":` + string(c.Encode()) + `}`
	return h.v.FetchSecrets(h.t.Context(), vaulttest.Origin, vault.FetchRequest{
		Project: project, Bearer: opaque.New(bearer), Body: []byte(body), Command: c,
		Attestation: h.sign("POST", "/project/secrets/"+project, body, proof.AuthTokenID(string(bearer))),
	})
}

// commands sets for which commands a project has its secrets.
func commands(t *testing.T, v *vault.Vault, project string, c vault.Commands) {
	t.Helper()
	s, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", project, vault.ProjectChange{Commands: &c})
	if err != nil || s.Commands != c {
		t.Fatalf("%+v, %v", s, err)
	}
}

// enforced is [ready] for a project that asks for approved commands.
func enforced(t *testing.T) (*vault.Vault, *host, []byte) {
	t.Helper()
	v, h, _, bearer := ready(t)
	commands(t, v, "app", vault.CommandsEnforce)
	return v, h, bearer
}

// refusedFor fails the test unless err refuses a command, and returns it.
func refusedFor(t *testing.T, err error, why string) *vault.CommandError {
	t.Helper()
	e, ok := errors.AsType[*vault.CommandError](err)
	if !ok || e.Why != why {
		t.Fatalf("got %v, want a refusal because %s", err, why)
	}
	return e
}

// pinsOf returns status and arguments of the pins of a project, newest first.
func pinsOf(t *testing.T, v *vault.Vault, project string) (said []string) {
	t.Helper()
	all, next, err := v.PinsPage(t.Context(), vaulttest.Admin, "", project, vault.Page{})
	if err != nil || next != "" {
		t.Fatal(next, err)
	}
	for _, p := range all {
		text := p.Status
		if p.Command != nil {
			text += " " + strings.Join(p.Command.Args, " ")
		}
		said = append(said, text)
	}
	return said
}

// last returns what the newest record says of an action.
func last(t *testing.T, v *vault.Vault, action access.Action) vault.AuditRow {
	t.Helper()
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Action: string(action), Limit: 1})
	if err != nil || len(rows) != 1 {
		t.Fatalf("%s: %+v, %v", action, rows, err)
	}
	return rows[0]
}

// What a project was never approved for gets nothing, and waits; approved, it gets
// all.
func TestEnforce(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	e := refusedFor(t, second(h.runs("app", bearer, command("now"))), pinned.NothingApproved)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"asked now"}) {
		t.Errorf("pins %q", got)
	}
	digest := command("now").Digest()
	r := last(t, v, access.GetSecrets)
	if r.Status != "refused:command_not_pinned" || len(r.Resources) != 1 || r.Resources[0].Path != "command:"+digest || r.Resources[0].Decision != "asked="+e.PinID {
		t.Errorf("recorded %+v", r)
	}
	if r := last(t, v, access.AskPin); r.Status != "pending" || *r.Resource != "/usr/bin/deploy" || *r.AgentID != "bot" || r.Resources[2].Path != e.PinID {
		t.Errorf("recorded %+v", r)
	}
	// The same again is the same.
	if again := refusedFor(t, second(h.runs("app", bearer, command("now"))), pinned.NothingApproved); again.PinID != e.PinID {
		t.Error("waits twice")
	}
	if got := actions(t, v, 1); got[0] != "get_secrets refused:command_not_pinned" {
		t.Errorf("a command that waits is asked for anew: %q", got)
	}
	p, err := v.ApprovePin(ctx, vaulttest.Admin, "app", e.PinID, vault.PinChange{})
	want(t, err, nil)
	if p.Status != "approved" || *p.DecidedBy != "admin" || p.DecidedAt == nil || p.Agent != "bot" || *p.Source != vaulttest.Origin.Source {
		t.Errorf("%+v", p)
	}
	got, err := h.runs("app", bearer, command("now"))
	if err != nil || string(got.Values["KEY"].Reveal()) != "value" || got.Commands != vault.CommandsEnforce {
		t.Fatalf("%+v, %v", got, err)
	}
	if got.Pin == nil || got.Pin.ID != e.PinID || !slices.Contains(got.Pin.Env, "PATH") {
		t.Errorf("pin %+v", got.Pin)
	}
	if r := last(t, v, access.GetSecrets); len(r.Resources) != 2 || r.Resources[0].Decision != "pin="+e.PinID || r.Resources[1].Path != "key" {
		t.Errorf("recorded %+v", r)
	}
	refusedFor(t, second(h.runs("app", bearer, command("later"))), "argument 1 is not what was approved")
	want(t, v.DeletePin(ctx, vaulttest.Admin, "app", e.PinID), nil)
	refusedFor(t, second(h.runs("app", bearer, command("now"))), pinned.NothingApproved)
	intact(t, v)
}

func second[T any](_ T, err error) error { return err }

// A daemon that does not say what it runs gets nothing where that counts, by any of
// the ways there are, and leaves nothing behind to be approved.
func TestEnforceUntold(t *testing.T) {
	v, k := readySSH(t)
	makeTemplate(t, v)
	commands(t, v, "app", vault.CommandsEnforce)
	for what, err := range map[string]error{
		"values":    second(k.fetch("app", k.bearer)),
		"signature": k.try(k.login()),
		"template": second(v.FetchConfig(t.Context(), vaulttest.Origin, vault.ConfigRequest{
			Project: "app", Template: "conf", Bearer: opaque.New(k.bearer), Attestation: k.sign("GET", "/project/config/app/conf", "", proof.AuthTokenID(string(k.bearer))),
		})),
	} {
		t.Log(what)
		if e := refusedFor(t, err, "the daemon does not say what it runs"); e.PinID != "" {
			t.Errorf("waits as %s", e.PinID)
		}
		if got := actions(t, v, 1); !strings.HasSuffix(got[0], " refused:command_not_pinned") {
			t.Errorf("recorded %q", got)
		}
	}
	if got := pinsOf(t, v, "app"); len(got) > 0 {
		t.Errorf("pins %q", got)
	}
	commands(t, v, "app", vault.CommandsAny)
	if _, err := k.fetch("app", k.bearer); err != nil {
		t.Error(err)
	}
	intact(t, v)
}

func makeTemplate(t *testing.T, v *vault.Vault) {
	t.Helper()
	_, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: "conf", Type: vault.TemplateConfig, Value: opaque.New([]byte("x"))})
	want(t, err, nil)
}

// Signatures and templates are for the same commands as values.
func TestEnforceEverywhere(t *testing.T) {
	v, k := readySSH(t)
	makeTemplate(t, v)
	commands(t, v, "app", vault.CommandsEnforce)
	for what, try := range map[string]func(c *pinned.Command) error{
		"sign": func(c *pinned.Command) error {
			r := k.login()
			r.Command = c
			return k.try(r)
		},
		"render": func(c *pinned.Command) error {
			_, err := v.FetchConfig(t.Context(), vaulttest.Origin, vault.ConfigRequest{
				Project: "app", Template: "conf", Bearer: opaque.New(k.bearer), Body: []byte("body"), Command: c,
				Attestation: k.sign("POST", "/project/config/app/conf", "body", proof.AuthTokenID(string(k.bearer))),
			})
			return err
		},
	} {
		c := command(what)
		e, ok := errors.AsType[*vault.CommandError](try(c))
		if !ok || e.PinID == "" {
			t.Fatalf("%s: %v", what, e)
		}
		_, err := v.ApprovePin(t.Context(), vaulttest.Admin, "app", e.PinID, vault.PinChange{})
		want(t, err, nil)
		want(t, try(c), nil)
		if _, ok := errors.AsType[*vault.CommandError](try(command(what, "more"))); !ok {
			t.Errorf("%s: another command is let through", what)
		}
	}
	intact(t, v)
}

// A project that learns refuses nothing, and keeps what nobody approved.
func TestLearn(t *testing.T) {
	v, h, _, bearer := ready(t)
	commands(t, v, "app", vault.CommandsLearn)
	for range 2 {
		got, err := h.runs("app", bearer, command("now"))
		if err != nil || got.Commands != vault.CommandsLearn || got.Pin != nil || len(got.Values) != 1 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	if got, err := h.fetch("app", bearer); err != nil || got["KEY"] != "value" {
		t.Errorf("untold: %v, %v", got, err)
	}
	if r := last(t, v, access.GetSecrets); r.Resources[0].Decision != "not told" {
		t.Errorf("recorded %+v", r.Resources)
	}
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"learned now"}) {
		t.Errorf("pins %q", got)
	}
	if got := actions(t, v, 4); !slices.Equal(got, []string{"get_secrets success", "get_secrets success", "pin_learned success", "get_secrets success"}) {
		t.Errorf("recorded %q", got)
	}
	// What was learned is not approved by that.
	commands(t, v, "app", vault.CommandsEnforce)
	e := refusedFor(t, second(h.runs("app", bearer, command("now"))), pinned.NothingApproved)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"asked now"}) {
		t.Errorf("pins %q", got)
	}
	_, err := v.ApprovePin(t.Context(), vaulttest.Admin, "app", e.PinID, vault.PinChange{})
	want(t, err, nil)
	want(t, second(h.runs("app", bearer, command("now"))), nil)
	// An approved one is not learned.
	commands(t, v, "app", vault.CommandsLearn)
	want(t, second(h.runs("app", bearer, command("now"))), nil)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"approved now"}) {
		t.Errorf("pins %q", got)
	}
	intact(t, v)
}

// A project that asks for nothing keeps nothing, and records what it was told.
func TestAnyCommand(t *testing.T) {
	v, h, _, bearer := ready(t)
	got, err := h.runs("app", bearer, command("now"))
	if err != nil || len(got.Values) != 1 || got.Pin != nil || got.Commands != vault.CommandsAny {
		t.Fatalf("%+v, %v", got, err)
	}
	if r := last(t, v, access.GetSecrets); r.Resources[0].Path != "command:"+command("now").Digest() || r.Resources[0].Decision != "not pinned" {
		t.Errorf("recorded %+v", r.Resources)
	}
	if got := pinsOf(t, v, "app"); len(got) > 0 {
		t.Errorf("pins %q", got)
	}
}

// Of a flood so many commands wait, and the rest is refused all the same.
func TestFloodOfCommands(t *testing.T) {
	v, h, bearer := enforced(t)
	for n := range 64 {
		if e := refusedFor(t, second(h.runs("app", bearer, command(fmt.Sprint(n)))), pinned.NothingApproved); e.PinID == "" {
			t.Fatalf("%d does not wait", n)
		}
	}
	if e := refusedFor(t, second(h.runs("app", bearer, command("one more"))), pinned.NothingApproved); e.PinID != "" {
		t.Errorf("one more waits, as %s", e.PinID)
	}
	if r := last(t, v, access.GetSecrets); r.Resources[0].Decision != "not pinned" {
		t.Errorf("recorded %+v", r.Resources)
	}
	// What waits can be found, and learning has no room either, and goes on.
	commands(t, v, "app", vault.CommandsLearn)
	want(t, second(h.runs("app", bearer, command("learn"))), nil)
	if got := pinsOf(t, v, "app"); len(got) != 64 {
		t.Errorf("%d pins", len(got))
	}
	// Another project of the agent has room of its own, as far as the agent has.
	keep(t, v, "", "other", "value")
	for n := range 4 {
		name := fmt.Sprintf("p%d", n)
		b := h.approved(name, "OTHER").Token.Reveal()
		commands(t, v, name, vault.CommandsLearn)
		for i := range 65 {
			want(t, second(h.runs(name, b, command(fmt.Sprint(i)))), nil)
		}
	}
	n := 0
	for _, project := range []string{"app", "p0", "p1", "p2", "p3"} {
		n += len(pinsOf(t, v, project))
	}
	if n != 256 {
		t.Errorf("%d pins of an agent", n)
	}
}

// A pin can be wider than the command, not beside it; what it covers waits no more.
func TestApproveWider(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	var ids []string
	for _, arg := range []string{"a", "b", "c"} {
		ids = append(ids, refusedFor(t, second(h.runs("app", bearer, command(arg))), pinned.NothingApproved).PinID)
	}
	other := command("d")
	other.Program = "/usr/bin/other"
	refusedFor(t, second(h.runs("app", bearer, other)), pinned.NothingApproved)
	for _, c := range []vault.PinChange{
		{Args: &[]string{"x"}}, {Args: &[]string{"**", "x"}}, {Dirs: &[]string{"/elsewhere"}}, {Dirs: &[]string{"srv"}}, {Env: &[]string{"A=B"}},
	} {
		_, err := v.ApprovePin(ctx, vaulttest.Admin, "app", ids[0], c)
		wantInvalid(t, err, "pin")
	}
	p, err := v.ApprovePin(ctx, vaulttest.Admin, "app", ids[0], vault.PinChange{Args: &[]string{"**"}, Dirs: &[]string{"/srv/**"}, Env: &[]string{"AWS_*"}})
	want(t, err, nil)
	if got := p.Weakness(); !slices.Equal(got, []string{"arguments may be others than those that somebody looked at"}) {
		t.Errorf("weak: %q", got)
	}
	if r := last(t, v, access.ApprovePin); !slices.ContainsFunc(r.Resources, func(about audit.Resource) bool {
		return strings.HasPrefix(about.Decision, "weak: arguments")
	}) {
		t.Errorf("recorded %+v", r.Resources)
	}
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"asked d", "approved a"}) {
		t.Errorf("pins %q", got)
	}
	elsewhere := command("x", "y")
	elsewhere.Dir = "/srv/other"
	got, err := h.runs("app", bearer, elsewhere)
	if err != nil || !slices.Contains(got.Pin.Env, "AWS_*") {
		t.Errorf("%+v, %v", got, err)
	}
	// And its files can be copies.
	want(t, second(v.ApprovePin(ctx, vaulttest.Admin, "app", ids[0], vault.PinChange{Sealed: true})), nil)
	if got, err := h.runs("app", bearer, command("a")); err != nil || !got.Pin.Sealed {
		t.Errorf("%+v, %v", got.Pin, err)
	}
	// It can be made narrower again.
	_, err = v.ApprovePin(ctx, vaulttest.Admin, "app", ids[0], vault.PinChange{})
	want(t, err, nil)
	refusedFor(t, second(h.runs("app", bearer, elsewhere)), "the directory /srv/other is not what was approved")
	intact(t, v)
}

// A denial is of a command wherever it is run, and whatever is in its files: also of one that
// waits already. Nothing that it covers can be approved beside it.
func TestDenyCommandEverywhere(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	elsewhere, newer := command("drop"), command("drop")
	elsewhere.Dir, newer.ProgramSHA256 = "/tmp", strings.Repeat("b", 64)
	asked := refusedFor(t, second(h.runs("app", bearer, command("drop"))), pinned.NothingApproved)
	waits := refusedFor(t, second(h.runs("app", bearer, elsewhere)), pinned.NothingApproved)
	refusedFor(t, second(h.runs("app", bearer, command("drop", "all"))), pinned.NothingApproved)
	want(t, v.DenyPin(ctx, vaulttest.Admin, "app", asked.PinID), nil)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"asked drop all", "denied drop"}) {
		t.Errorf("pins %q: what waited in another directory is not settled", got)
	}
	_, err := v.ApprovePin(ctx, vaulttest.Admin, "app", waits.PinID, vault.PinChange{})
	want(t, err, vault.ErrNotFound)
	for name, c := range map[string]*pinned.Command{"another directory": elsewhere, "another version": newer} {
		if e := refusedFor(t, second(h.runs("app", bearer, c)), pinned.WhyDenied); e.PinID != asked.PinID {
			t.Errorf("%s: %s", name, e.PinID)
		}
	}
	// While it learns nothing is refused, and what was denied is not asked for anew.
	commands(t, v, "app", vault.CommandsLearn)
	want(t, second(h.runs("app", bearer, newer)), nil)
	if r := last(t, v, access.GetSecrets); r.Resources[0].Decision != "denied="+asked.PinID {
		t.Errorf("recorded %+v", r.Resources)
	}
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"learned drop all", "denied drop"}) {
		t.Errorf("pins %q", got)
	}
	// What was learned before cannot be approved beside a denial that covers it.
	want(t, v.DeletePin(ctx, vaulttest.Admin, "app", asked.PinID), nil)
	want(t, second(h.runs("app", bearer, elsewhere)), nil)
	want(t, second(h.runs("app", bearer, command("drop"))), nil)
	commands(t, v, "app", vault.CommandsEnforce)
	here := refusedFor(t, second(h.runs("app", bearer, command("drop"))), pinned.NothingApproved)
	there := refusedFor(t, second(h.runs("app", bearer, elsewhere)), pinned.NothingApproved)
	want(t, second(v.ApprovePin(ctx, vaulttest.Admin, "app", there.PinID, vault.PinChange{})), nil)
	want(t, v.DenyPin(ctx, vaulttest.Admin, "app", here.PinID), nil)
	refusedFor(t, second(h.runs("app", bearer, elsewhere)), pinned.WhyDenied)
	wantInvalid(t, second(v.ApprovePin(ctx, vaulttest.Admin, "app", there.PinID, vault.PinChange{})), "pin")
	intact(t, v)
}

// A denial holds against what other pins allow, and asks nobody again.
func TestDenyCommand(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	e := refusedFor(t, second(h.runs("app", bearer, command("drop"))), pinned.NothingApproved)
	want(t, v.DenyPin(ctx, vaulttest.Admin, "app", e.PinID), nil)
	wide, err := v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{Program: "/usr/bin/deploy", Args: []string{"**"}})
	want(t, err, nil)
	want(t, second(h.runs("app", bearer, command("keep"))), nil)
	if again := refusedFor(t, second(h.runs("app", bearer, command("drop"))), "it was denied by an administrator"); again.PinID != e.PinID {
		t.Errorf("another pin: %s", again.PinID)
	}
	if r := last(t, v, access.GetSecrets); r.Resources[0].Decision != "denied="+e.PinID {
		t.Errorf("recorded %+v", r.Resources)
	}
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"approved", "denied drop"}) {
		t.Errorf("pins %q", got)
	}
	wantInvalid(t, v.DenyPin(ctx, vaulttest.Admin, "app", wide.ID), "pin")
	_, err = v.ApprovePin(ctx, vaulttest.Admin, "app", wide.ID, vault.PinChange{})
	wantInvalid(t, err, "pin")
	_, err = v.ApprovePin(ctx, vaulttest.Admin, "app", e.PinID, vault.PinChange{})
	want(t, err, nil)
	want(t, second(h.runs("app", bearer, command("drop"))), nil)
	intact(t, v)
}

// A pin made by hand can be there before the project, and bind it to directories.
func TestCreatePin(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	_, err := v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{})
	wantInvalid(t, err, "pin")
	_, err = v.CreatePin(ctx, vaulttest.Admin, "", "../app", pinned.Pin{Dirs: []string{"/srv/app"}})
	wantInvalid(t, err, "project_name")
	_, err = v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{Dirs: []string{"/srv/app/**"}})
	want(t, err, nil)
	commands(t, v, "app", vault.CommandsEnforce)
	keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	bearer := h.approved("app", "KEY").Token.Reveal()
	weak := command("x").Weaker("program", "dir", "inline")
	want(t, second(h.runs("app", bearer, &weak)), nil)
	weak.Dir = "/tmp"
	refusedFor(t, second(h.runs("app", bearer, &weak)), "the directory /tmp is not what was approved")
	for range 255 {
		_, err := v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{Dirs: []string{"/srv/app"}})
		want(t, err, nil)
	}
	_, err = v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{Dirs: []string{"/srv/app"}})
	want(t, err, vault.ErrTooMany)
	id := refusedFor(t, second(h.runs("app", bearer, &weak)), "the directory /tmp is not what was approved").PinID
	_, err = v.ApprovePin(ctx, vaulttest.Admin, "app", id, vault.PinChange{})
	want(t, err, vault.ErrTooMany)
	want(t, v.DenyPin(ctx, vaulttest.Admin, "app", id), vault.ErrTooMany)
	intact(t, v)
}

// The pin of one project is none of another, and who is confined elsewhere sees none.
func TestPinsOfOthers(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	id := refusedFor(t, second(h.runs("app", bearer, command("x"))), pinned.NothingApproved).PinID
	elsewhere := access.Caller{Kind: access.Admin, Role: access.Manager, Name: "eve", Namespaces: []string{"prod"}}
	for what, err := range map[string]error{
		"approved for another project": second(v.ApprovePin(ctx, vaulttest.Admin, "other", id, vault.PinChange{})),
		"denied for another project":   v.DenyPin(ctx, vaulttest.Admin, "other", id),
		"deleted for another project":  v.DeletePin(ctx, vaulttest.Admin, "other", id),
		"approved from elsewhere":      second(v.ApprovePin(ctx, elsewhere, "app", id, vault.PinChange{})),
		"denied from elsewhere":        v.DenyPin(ctx, elsewhere, "app", id),
		"deleted from elsewhere":       v.DeletePin(ctx, elsewhere, "app", id),
		"approved, and none":           second(v.ApprovePin(ctx, elsewhere, "app", "none", vault.PinChange{})),
	} {
		if !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := v.PinsPage(ctx, elsewhere, "default", "app", vault.Page{})
	want(t, err, vault.ErrDenied)
	_, err = v.CreatePin(ctx, elsewhere, "default", "app", pinned.Pin{Dirs: []string{"/"}})
	want(t, err, vault.ErrDenied)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"asked x"}) {
		t.Errorf("pins %q", got)
	}
	// A pin of the same name in another namespace allows nothing here.
	_, err = v.CreatePin(ctx, elsewhere, "prod", "app", pinned.Pin{Dirs: []string{"/**"}})
	want(t, err, nil)
	refusedFor(t, second(h.runs("app", bearer, command("x"))), pinned.NothingApproved)
	here := access.Caller{Kind: access.Admin, Role: access.Approver, Name: "ann", Namespaces: []string{"default"}}
	want(t, second(v.ApprovePin(ctx, here, "app", id, vault.PinChange{})), nil)
	want(t, second(v.CreatePin(ctx, here, "default", "app", pinned.Pin{Dirs: []string{"/"}})), vault.ErrDenied)
	auditor := access.Caller{Kind: access.Admin, Role: access.Auditor, Name: "carl"}
	want(t, second(v.ApprovePin(ctx, auditor, "app", id, vault.PinChange{})), vault.ErrDenied)
	want(t, v.DenyPin(ctx, auditor, "app", id), vault.ErrDenied)
	if _, _, err := v.PinsPage(ctx, auditor, "", "app", vault.Page{}); err != nil {
		t.Errorf("an auditor does not see pins: %v", err)
	}
	intact(t, v)
}

// Whoever waits for a command hears what became of it.
func TestWaitForPin(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	by := h.daemonCaller()
	other := enrol(t, v, "", "other")
	ask := func(arg string) string {
		t.Helper()
		e, ok := errors.AsType[*vault.CommandError](second(h.runs("app", bearer, command(arg))))
		if !ok || e.PinID == "" {
			t.Fatalf("%s: %v", arg, e)
		}
		return e.PinID
	}
	status := func(id, status string) {
		t.Helper()
		p, err := v.PendingGrant(ctx, by, id)
		if err != nil || p.Status != status || !p.Pin || p.ID != id || p.Project != "app" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	for n, decide := range []struct {
		status string
		fn     func(id string) error
	}{
		{"approved", func(id string) error { return second(v.ApprovePin(ctx, vaulttest.Admin, "app", id, vault.PinChange{})) }},
		{"denied", func(id string) error { return v.DenyPin(ctx, vaulttest.Admin, "app", id) }},
		{"deleted", func(id string) error { return v.DeletePin(ctx, vaulttest.Admin, "app", id) }},
		// Nothing is refused any more.
		{"approved", func(string) error {
			return second(v.UpdateProject(ctx, vaulttest.Admin, "", "app", vault.ProjectChange{Commands: new(vault.CommandsLearn)}))
		}},
	} {
		commands(t, v, "app", vault.CommandsEnforce)
		id := ask(fmt.Sprint(n))
		status(id, "pending")
		_, err := v.PendingGrant(ctx, other.daemonCaller(), id)
		want(t, err, vault.ErrNotFound)
		w, err := v.WatchGrant(by, id)
		want(t, err, nil)
		events, _, err := v.WatchEvents(ctx, by)
		want(t, err, nil)
		want(t, decide.fn(id), nil)
		<-w.Ready()
		<-events.Ready()
		heard, err := events.Take()
		// That the settings are others is told, too.
		heard = slices.DeleteFunc(heard, func(e vault.Event) bool { return e.Kind == vault.EventResync })
		if err != nil || len(heard) != 1 || heard[0].Kind != vault.EventGrantDecided || heard[0].GrantID != id || heard[0].Status != decide.status || heard[0].Project != "app" {
			t.Errorf("heard %+v, %v", heard, err)
		}
		w.Close()
		events.Close()
		if decide.status == "deleted" {
			_, err := v.PendingGrant(ctx, by, id)
			want(t, err, vault.ErrNotFound)
			continue
		}
		status(id, decide.status)
	}
}

// daemonCaller returns the host's daemon as it is authenticated.
func (h *host) daemonCaller() access.Caller {
	h.t.Helper()
	by, err := h.v.AuthenticateDaemon(h.t.Context(), vaulttest.Origin, "GET", "/daemon/events", h.sign("GET", "/daemon/events", "", proof.AgentTokenID(h.agent.AgentID)))
	if err != nil {
		h.t.Fatal(err)
	}
	return by
}

// A request shows what it is for, and approving it can pin that and nothing else.
func TestApproveAndPin(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	asks := func(project string, c *pinned.Command) (vault.DiscoverResult, error) {
		q := h.ask(project, "KEY")
		q.Command, q.Regenerate = c, true
		return h.send(q)
	}
	_, err := asks("app", command("now"))
	id := wantPending(t, err, "KEY").GrantID
	_, err = asks("app", command("something else")) // a request that waits never changes
	if again := wantPending(t, err, "KEY"); again.GrantID != id {
		t.Fatal("asked twice")
	}
	all, err := v.PendingGrants(ctx, vaulttest.Admin)
	if err != nil || len(all) != 1 || all[0].Command == nil || all[0].Command.Digest() != command("now").Digest() {
		t.Fatalf("%+v, %v", all, err)
	}
	by := access.Caller{Kind: access.Admin, Role: access.Approver, Name: "ann"}
	_, err = v.ApproveGrant(ctx, by, id, vault.Approval{Pin: true})
	want(t, err, nil)
	res, err := asks("app", command("now"))
	if err != nil || res.Commands != vault.CommandsEnforce {
		t.Fatalf("%+v, %v", res, err)
	}
	bearer := res.Token.Reveal()
	want(t, second(h.runs("app", bearer, command("now"))), nil)
	refusedFor(t, second(h.runs("app", bearer, command("something else"))), "argument 1 is not what was approved")

	// Without a command, or with one that is too long to be shown, there is nothing to pin.
	long := command(strings.Repeat("x", 5<<10))
	for n, c := range []*pinned.Command{nil, long} {
		_, err = asks(fmt.Sprint("p", n), c)
		id := wantPending(t, err, "KEY").GrantID
		_, err = v.ApproveGrant(ctx, by, id, vault.Approval{Pin: true})
		wantInvalid(t, err, "pin")
		_, err = v.ApproveGrant(ctx, by, id, vault.Approval{})
		want(t, err, nil)
	}
	intact(t, v)
}

// Pins go with their agent, and with their project.
func TestPinsGoWithTheirs(t *testing.T) {
	v, h, bearer := enforced(t)
	ctx := t.Context()
	made, err := v.CreatePin(ctx, vaulttest.Admin, "", "app", pinned.Pin{Dirs: []string{"/elsewhere"}})
	want(t, err, nil)
	approved := refusedFor(t, second(h.runs("app", bearer, command("x"))), "the directory /srv/app is not what was approved").PinID
	want(t, second(v.ApprovePin(ctx, vaulttest.Admin, "app", approved, vault.PinChange{})), nil)
	refusedFor(t, second(h.runs("app", bearer, command("y"))), "argument 1 is not what was approved")
	want(t, v.DeleteAgent(ctx, vaulttest.Admin, "", "bot"), nil)
	if got := pinsOf(t, v, "app"); !slices.Equal(got, []string{"approved"}) {
		t.Errorf("pins %q, want %s", got, made.ID)
	}
	other := enrol(t, v, "", "other")
	other.approved("app", "KEY")
	want(t, v.DeleteProject(ctx, vaulttest.Admin, "", "app"), nil)
	if got := pinsOf(t, v, "app"); len(got) > 0 {
		t.Errorf("pins %q", got)
	}
}

// What nobody decides on is forgotten a month after it was last run.
func TestPinsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, h, _, bearer := ready(t)
		commands(t, v, "app", vault.CommandsLearn)
		want(t, second(h.runs("app", bearer, command("once"))), nil)
		want(t, second(h.runs("app", bearer, command("often"))), nil)
		e := func() string {
			commands(t, v, "app", vault.CommandsEnforce)
			defer commands(t, v, "app", vault.CommandsLearn)
			return refusedFor(t, second(h.runs("app", bearer, command("kept"))), pinned.NothingApproved).PinID
		}()
		want(t, second(v.ApprovePin(t.Context(), vaulttest.Admin, "app", e, vault.PinChange{})), nil)
		for range 4 {
			time.Sleep(10 * 24 * time.Hour)
			h.login()
			h.attest()
			res := h.again("app", "KEY")
			want(t, second(h.runs("app", res.Token.Reveal(), command("often"))), nil)
		}
		ctx, stop := context.WithTimeout(t.Context(), 2*time.Minute)
		defer stop()
		want(t, v.Run(ctx), nil)
		if got := pinsOf(t, v, "app"); !slices.Equal(slices.Sorted(slices.Values(got)), []string{"approved kept", "learned often"}) {
			t.Errorf("pins %q", got)
		}
		if r := last(t, v, access.ExpirePin); r.Status != "expired" || *r.AgentID != "bot" {
			t.Errorf("recorded %+v", r)
		}
		intact(t, v)
	})
}

// again discovers, and has an administrator approve if that takes one.
func (h *host) again(project string, names ...string) vault.DiscoverResult {
	h.t.Helper()
	if res, err := h.rediscover(project, names...); err == nil {
		return res
	}
	return h.approved(project, names...)
}

// A command in a body that another command's attestation covers is not believed.
func TestSplicedCommand(t *testing.T) {
	v, h, bearer := enforced(t)
	id := refusedFor(t, second(h.runs("app", bearer, command("good"))), pinned.NothingApproved).PinID
	want(t, second(v.ApprovePin(t.Context(), vaulttest.Admin, "app", id, vault.PinChange{})), nil)
	tokenID := proof.AuthTokenID(string(bearer))
	good, bad := `{"command":`+string(command("good").Encode())+`}`, `{"command":`+string(command("bad").Encode())+`}`
	for what, r := range map[string]vault.FetchRequest{
		"another body":       {Body: []byte(good), Attestation: h.sign("POST", "/project/secrets/app", bad, tokenID)},
		"a GET's":            {Body: []byte(good), Attestation: h.sign("GET", "/project/secrets/app", "", tokenID)},
		"a GET, and a body":  {Body: []byte(good), Attestation: h.sign("GET", "/project/secrets/app", good, tokenID)},
		"of another route":   {Body: []byte(good), Attestation: h.sign("POST", "/project/ssh-signatures/app", good, tokenID)},
		"a POST without one": {Body: []byte{}, Attestation: h.sign("POST", "/project/secrets/app", good, tokenID)},
	} {
		r.Project, r.Bearer, r.Command = "app", opaque.New(slices.Clone(bearer)), command("good")
		if _, err := v.FetchSecrets(t.Context(), vaulttest.Origin, r); !errors.Is(err, vault.ErrUnauthorized) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r := vault.FetchRequest{
		Project: "app", Bearer: opaque.New(slices.Clone(bearer)), Body: []byte(good), Command: command("good"),
		Attestation: h.sign("POST", "/project/secrets/app", good, tokenID),
	}
	want(t, second(v.FetchSecrets(t.Context(), vaulttest.Origin, r)), nil)
	r.Bearer = opaque.New(slices.Clone(bearer))
	want(t, second(v.FetchSecrets(t.Context(), vaulttest.Origin, r)), vault.ErrReplay)
	// A refusal uses the message up as well.
	r.Attestation, r.Body, r.Command = h.sign("POST", "/project/secrets/app", bad, tokenID), []byte(bad), command("bad")
	refusedFor(t, second(v.FetchSecrets(t.Context(), vaulttest.Origin, r)), "argument 1 is not what was approved")
	want(t, second(v.FetchSecrets(t.Context(), vaulttest.Origin, r)), vault.ErrReplay)
}

// Once a pin is gone, nothing is let out by it, however much is under way.
func TestDeletePinRace(t *testing.T) {
	v, h, bearer := enforced(t)
	id := refusedFor(t, second(h.runs("app", bearer, command("x"))), pinned.NothingApproved).PinID
	want(t, second(v.ApprovePin(t.Context(), vaulttest.Admin, "app", id, vault.PinChange{})), nil)
	var gone atomic.Bool
	var runners sync.WaitGroup
	ready := make(chan struct{}, 4)
	for range cap(ready) {
		runners.Go(func() {
			for first := true; ; first = false {
				late := gone.Load()
				_, err := h.runs("app", bearer, command("x"))
				if first {
					ready <- struct{}{}
				}
				if _, refused := errors.AsType[*vault.CommandError](err); refused {
					return
				}
				if late || err != nil {
					t.Errorf("late %v: %v", late, err)
					return
				}
			}
		})
	}
	for range cap(ready) {
		<-ready
	}
	want(t, v.DeletePin(t.Context(), vaulttest.Admin, "app", id), nil)
	gone.Store(true)
	runners.Wait()
	intact(t, v)
}

// What a project asks for is asked of the vault each time: nothing may be used while
// the vault is away, and daemons forget what they hold for that.
func TestEnforceOffline(t *testing.T) {
	v, h, _, bearer := ready(t)
	_, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", "app", vault.ProjectChange{OfflineTTL: new(time.Hour)})
	want(t, err, nil)
	events, _, err := v.WatchEvents(t.Context(), h.daemonCaller())
	want(t, err, nil)
	defer events.Close()
	if got, err := h.runs("app", bearer, command("x")); err != nil || got.Offline == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	commands(t, v, "app", vault.CommandsEnforce)
	<-events.Ready()
	if heard, err := events.Take(); err != nil || len(heard) != 1 || heard[0].Kind != vault.EventResync {
		t.Errorf("heard %+v, %v", heard, err)
	}
	id := refusedFor(t, second(h.runs("app", bearer, command("x"))), pinned.NothingApproved).PinID
	want(t, second(v.ApprovePin(t.Context(), vaulttest.Admin, "app", id, vault.PinChange{})), nil)
	if got, err := h.runs("app", bearer, command("x")); err != nil || got.Offline != nil || len(got.Values) != 1 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A project that enforces because of an approval tells its daemons, as one does whose
// settings are changed: what they hold they got for any command.
func TestPinningTells(t *testing.T) {
	v, h, _, _ := ready(t)
	keep(t, v, "", "other", "value")
	q := h.ask("app", "OTHER")
	q.Command, q.Regenerate = command("x"), true
	id := wantPending(t, second(h.send(q)), "OTHER").GrantID
	events, _, err := v.WatchEvents(t.Context(), h.daemonCaller())
	want(t, err, nil)
	defer events.Close()
	want(t, second(v.ApproveGrant(t.Context(), vaulttest.Admin, id, vault.Approval{Pin: true})), nil)
	<-events.Ready()
	heard, err := events.Take()
	if err != nil || !slices.ContainsFunc(heard, func(e vault.Event) bool { return e.Kind == vault.EventResync }) {
		t.Errorf("heard %+v, %v", heard, err)
	}
}

// A trap among the values springs for an approved command, and not for one that gets
// nothing anyway.
func TestHoneyAndCommand(t *testing.T) {
	v, h, bearer := enforced(t)
	s, _, err := v.SecretsPage(t.Context(), vaulttest.Admin, vault.SecretFilter{}, vault.Page{})
	want(t, err, nil)
	_, err = v.UpdateSecret(t.Context(), vaulttest.Admin, s[0].ID, vault.SecretChange{Honey: new(true)})
	want(t, err, nil)
	id := refusedFor(t, second(h.runs("app", bearer, command("x"))), pinned.NothingApproved).PinID
	want(t, second(v.ApprovePin(t.Context(), vaulttest.Admin, "app", id, vault.PinChange{})), nil)
	want(t, second(h.runs("app", bearer, command("x"))), vault.ErrUnauthorized)
	if got := last(t, v, access.HoneyTokenAccess); got.Status != "alarm" {
		t.Errorf("recorded %+v", got)
	}
}
