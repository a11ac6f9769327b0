package vault_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// wantPending fails the test unless err waits for exactly these variables.
func wantPending(t *testing.T, err error, variables ...string) *vault.PendingError {
	t.Helper()
	p, ok := errors.AsType[*vault.PendingError](err)
	if !ok {
		t.Fatalf("got %v, want a PendingError", err)
	}
	if !slices.Equal(p.RequestedKeys, variables) {
		t.Errorf("waits for %v, want %v", p.RequestedKeys, variables)
	}
	return p
}

func TestFirstAccessWaits(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "openai_api_key", "sk-test")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "OPENAI_API_KEY", "HOME")
	first := wantPending(t, err, "OPENAI_API_KEY")
	_, err = h.discover("app", "openai_api_key") // another spelling, the same request
	if again := wantPending(t, err, "OPENAI_API_KEY"); again.GrantID != first.GrantID {
		t.Error("asking again made another request")
	}
	p, err := v.ApproveGrant(t.Context(), vaulttest.Admin, first.GrantID, vault.Approval{})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(p.Approved, []string{"OPENAI_API_KEY"}) || p.AutoApprovalUntil == nil {
		t.Errorf("approved %+v", p)
	}
	res, err := h.discover("app", "OPENAI_API_KEY", "HOME", "HOME")
	if err != nil {
		t.Fatal(err)
	}
	if res.FullMatched || !slices.Equal(res.Unmatched, []string{"HOME", "HOME"}) || !slices.Equal(res.Scope, []string{"openai_api_key"}) {
		t.Errorf("got %+v", res)
	}
	if res.TTL != 14*24*time.Hour || res.Namespace != "default" || res.Token.Len() != 64 {
		t.Errorf("got TTL %v, namespace %s, token of %d", res.TTL, res.Namespace, res.Token.Len())
	}
	_, err = h.discover("app", "OPENAI_API_KEY")
	want(t, err, vault.ErrTokenActive)
	res2, err := h.rediscover("app", "OPENAI_API_KEY")
	if err != nil {
		t.Fatal(err)
	}
	if !res2.FullMatched {
		t.Errorf("got %+v", res2)
	}
	_, err = h.fetch("app", res.Token.Reveal())
	want(t, err, vault.ErrUnauthorized)
	intact(t, v)
}

// A subset is approved: what was left out is unmatched, and nobody is asked
// again; what is new waits.
func TestApproveSubset(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	for _, path := range []string{"a", "b", "c"} {
		keep(t, v, "", path, "value of "+path)
	}
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "A", "B")
	p := wantPending(t, err, "A", "B")
	_, err = v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{Keys: &[]string{"C"}})
	wantInvalid(t, err, "approved_keys")
	if _, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{Keys: &[]string{"a"}}); err != nil { // a path will do
		t.Fatal(err)
	}
	_, err = v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{})
	want(t, err, vault.ErrDecided)
	want(t, v.DenyGrant(ctx, admin, p.GrantID), vault.ErrDecided)
	res, err := h.discover("app", "A", "B")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Unmatched, []string{"B"}) {
		t.Errorf("got %+v", res)
	}
	_, err = h.rediscover("app", "A", "B", "C")
	wantPending(t, err, "C")
	if values, err := h.fetch("app", res.Token.Reveal()); err != nil || values["A"] != "value of a" {
		t.Errorf("the last token died: %v", err) // it stays good while C waits
	}
}

func TestDenial(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	keep(t, v, "", "a", "1")
	keep(t, v, "", "b", "2")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "A")
	p := wantPending(t, err, "A")
	if err := v.DenyGrant(ctx, admin, p.GrantID); err != nil {
		t.Fatal(err)
	}
	_, err = h.discover("app", "A", "B")
	want(t, err, vault.ErrGrantDenied)
	if got := actions(t, v, 1)[0]; got != "discover_denied denied" {
		t.Errorf("recorded %q", got)
	}
	_, err = h.discover("app", "B") // a denial speaks of its names only
	wantPending(t, err, "B")
	if err := v.DeleteGrant(ctx, admin, p.GrantID); err != nil {
		t.Fatal(err)
	}
	_, err = h.discover("app", "A", "B")
	wantPending(t, err, "A", "B")
}

// The request a person sees is bounded, whatever the agent's files ask for.
func TestUndecidedAreBounded(t *testing.T) {
	v := vaulttest.New(t)
	var names []string
	for i := range 70 {
		keep(t, v, "", fmt.Sprintf("key%03d", i), "value")
		names = append(names, fmt.Sprintf("KEY%03d", i))
	}
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", names...)
	p := wantPending(t, err, names[:64]...)
	if got := actions(t, v, 1)[0]; got != "discover_limit alarm" {
		t.Errorf("recorded %q", got)
	}
	if _, err := v.ApproveGrant(t.Context(), vaulttest.Admin, p.GrantID, vault.Approval{}); err != nil {
		t.Fatal(err)
	}
	_, err = h.discover("app", names...)
	wantPending(t, err, names[64:]...)
}

// Names alone never authorise: a decoy's name alarms and is answered as any
// unknown name.
func TestHoneyByName(t *testing.T) {
	v := vaulttest.New(t)
	_, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: "aws_root", Type: vault.KeyValue, Value: opaque.New([]byte("bait")), Honey: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot")
	res, err := h.discover("app", "AWS_ROOT")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Unmatched, []string{"AWS_ROOT"}) || len(res.Scope) != 0 {
		t.Errorf("got %+v", res)
	}
	if got := actions(t, v, 1)[0]; got != "honey_token_access alarm" {
		t.Errorf("recorded %q", got)
	}
	if _, err := h.rediscover("app"); err != nil {
		t.Errorf("the agent is frozen: %v", err) // a file in a repository must not do that
	}
}

func TestEmptyScopeOwnsNothing(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "key", "value")
	squatter, rightful := enrol(t, v, "", "squatter"), enrol(t, v, "", "rightful")
	res, err := squatter.discover("app", "NOTHING")
	if err != nil {
		t.Fatal(err)
	}
	if res.TTL > time.Hour {
		t.Errorf("a token that opens nothing lives %v", res.TTL)
	}
	values, err := squatter.fetch("app", res.Token.Reveal())
	if err != nil || len(values) != 0 {
		t.Errorf("got %v, %v", values, err)
	}
	rightful.approved("app", "KEY")
	_, err = squatter.rediscover("app", "KEY")
	want(t, err, vault.ErrProjectMismatch)
	_, err = squatter.rediscover("app")
	want(t, err, vault.ErrProjectMismatch)
	all, err := v.Projects(t.Context(), vaulttest.Admin, "")
	if err != nil || len(all) != 1 || all[0].Agent != "rightful" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestNamespacesAreApart(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	elsewhere := keep(t, v, "prod", "key", "value")
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: elsewhere.ID}); err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot")
	res, err := h.discover("app", "KEY")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(res.Unmatched, []string{"KEY"}) {
		t.Errorf("got %+v", res)
	}
	twin := enrol(t, v, "prod", "bot") // the same id, another agent
	if got, err := twin.fetch("app", twin.approved("app", "KEY").Token.Reveal()); err != nil || got["KEY"] != "value" {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestPoliciesAtDiscover(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	keep(t, v, "", "open/a", "1")
	keep(t, v, "", "closed/b", "2")
	if _, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "bot*", Denied: []string{"closed/*"}}); err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot-1")
	_, err := h.discover("app", "OPEN_A", "CLOSED_B")
	wantPending(t, err, "OPEN_A") // what is denied is not even proposed
	other := enrol(t, v, "", "other")
	_, err = other.discover("app2", "OPEN_A", "CLOSED_B")
	wantPending(t, err, "CLOSED_B", "OPEN_A")
}

func TestTwoGrantsOneVariable(t *testing.T) {
	v, ctx, admin := vaulttest.New(t), t.Context(), vaulttest.Admin
	a, b := keep(t, v, "", "x/key", "1"), keep(t, v, "", "y/key", "2")
	g, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: a.ID})
	if err != nil {
		t.Fatal(err)
	}
	if g.Variable != "KEY" {
		t.Errorf("variable %q", g.Variable)
	}
	_, err = v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: b.ID})
	want(t, err, vault.ErrExists)
	_, err = v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: a.ID, EnvVar: new("OTHER")})
	want(t, err, vault.ErrExists)
	_, err = v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: b.ID, EnvVar: new("A=B")})
	wantInvalid(t, err, "env_var_name")
	_, err = v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: "no such id"})
	want(t, err, vault.ErrNotFound)
	want(t, v.DeleteProjectGrant(ctx, admin, "other", g.ID), vault.ErrNotFound)
}

func TestProofs(t *testing.T) {
	v := vaulttest.New(t)
	h, other := enrol(t, v, "", "bot"), enrol(t, v, "", "other")
	for name, c := range map[string]struct {
		change func(*question)
		target error
	}{
		"no ts":             {func(q *question) { q.TS = nil }, vault.ErrUnauthorized},
		"no nonce":          {func(q *question) { q.Nonce = nil }, vault.ErrUnauthorized},
		"no signature":      {func(q *question) { q.AuthProof = "" }, vault.ErrUnauthorized},
		"another time":      {func(q *question) { *q.TS++ }, vault.ErrUnauthorized},
		"another agent":     {func(q *question) { q.AgentID = "other" }, vault.ErrUnauthorized},
		"unknown agent":     {func(q *question) { q.AgentID = "nobody" }, vault.ErrUnauthorized},
		"other's signature": {func(q *question) { q.AuthProof = other.ask("app").AuthProof }, vault.ErrUnauthorized},
		"no attestation":    {func(q *question) { q.att = nil }, vault.ErrUnauthorized},
		"other body":        {func(q *question) { q.body += " " }, vault.ErrUnauthorized},
		"other session":     {func(q *question) { q.att.SessionID = other.session }, vault.ErrUnauthorized},
		"other's session":   {func(q *question) { q.att = other.sign("POST", "/agent/discover", q.body, proof.AgentTokenID("bot")) }, vault.ErrUnauthorized},
		"other token id":    {func(q *question) { q.att = h.sign("POST", "/agent/discover", q.body, proof.AgentTokenID("other")) }, vault.ErrUnauthorized},
		"other method":      {func(q *question) { q.att = h.sign("GET", "/agent/discover", q.body, proof.AgentTokenID("bot")) }, vault.ErrUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			q := h.ask("app")
			c.change(&q)
			_, err := h.send(q)
			want(t, err, c.target)
		})
	}
	q := h.ask("app")
	if _, err := h.send(q); err != nil {
		t.Fatal(err)
	}
	_, err := h.send(q)
	want(t, err, vault.ErrReplay)
	again := h.ask("app")
	again.TS, again.Nonce, again.AuthProof = q.TS, q.Nonce, q.AuthProof
	_, err = h.send(again) // another attestation around the same proof
	want(t, err, vault.ErrReplay)
}

// A refusal uses the signed messages up as well.
func TestRefusedIsNotReplayed(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	h.approved("app", "KEY")
	q := h.ask("app", "KEY")
	_, err := h.send(q)
	want(t, err, vault.ErrTokenActive)
	_, err = h.send(q)
	want(t, err, vault.ErrReplay)
}

func TestDiscoverRefusesBadNames(t *testing.T) {
	v := vaulttest.New(t)
	h := enrol(t, v, "", "bot")
	for _, project := range []string{"", ".hidden", "a/b", "a b", `x" onmouseover=`, "a\x00b", string(make([]byte, 200))} {
		q := h.ask(project)
		_, err := h.send(q)
		wantInvalid(t, err, "context.project_name")
	}
	res, err := h.discover("app", "A\x00B", "export X", "é", "=", "\x1b[2J")
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Unmatched) != 5 {
		t.Errorf("got %+v", res)
	}
}

// TestLostToken: a daemon that attests after the token was issued holds it no
// more. Older ones cannot ask for another; the same daemon, asking twice, has to.
func TestLostToken(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "key", "v")
	h := enrol(t, v, "", "bot")
	first := h.approved("app", "KEY")
	_, err := h.discover("app", "KEY")
	want(t, err, vault.ErrTokenActive)
	h.attest()
	second, err := h.discover("app", "KEY")
	want(t, err, nil)
	if got := actions(t, v, 2); !slices.Contains(got, "auto_rotate_token success") {
		t.Errorf("%v", got)
	}
	_, err = h.fetch("app", first.Token.Reveal())
	want(t, err, vault.ErrUnauthorized)
	if got, err := h.fetch("app", second.Token.Reveal()); got["KEY"] != "v" {
		t.Errorf("%v, %v", got, err)
	}
	_, err = h.discover("app", "KEY")
	want(t, err, vault.ErrTokenActive)
}
