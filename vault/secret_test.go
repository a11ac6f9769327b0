package vault_test

import (
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestSecretLifeCycle(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keep(t, v, "", "prod/db", "first")
	if s.Namespace != vault.DefaultNamespace || s.Version != 1 {
		t.Errorf("got %+v", s)
	}
	next := opaque.New([]byte("second"))
	changed, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Value: &next, Description: new("a database")})
	if err != nil {
		t.Fatal(err)
	}
	if changed.Version != 2 || *changed.Description != "a database" {
		t.Errorf("got %+v", changed)
	}
	_, value, err := v.ReadSecret(ctx, admin, s.ID)
	if err != nil {
		t.Fatal(err)
	}
	if string(value.Reveal()) != "second" {
		t.Errorf("read another value than was written")
	}
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	_, _, err = v.ReadSecret(ctx, admin, s.ID)
	want(t, err, vault.ErrNotFound)
	want(t, v.DeleteSecret(ctx, admin, s.ID), vault.ErrNotFound)
	got := strings.Join(actions(t, v, 6), "; ")
	const expected = "delete_secret refused:not_found; read_secret refused:not_found; delete_secret success; read_secret success; update_secret success; create_secret success"
	if got != expected {
		t.Errorf("recorded %s", got)
	}
	intact(t, v)
}

func TestSecretPaths(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	keep(t, v, "", "key", "1")
	keep(t, v, "staging", "key", "2") // another namespace, made on first use
	_, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "key", Type: vault.KeyValue, Honey: true})
	want(t, err, vault.ErrExists)
	all, err := v.Secrets(ctx, admin, vault.SecretFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[0].Namespace != "default" || all[1].Namespace != "staging" {
		t.Errorf("got %+v", all)
	}
	one, err := v.Secrets(ctx, admin, vault.SecretFilter{Namespace: "staging"})
	if err != nil || len(one) != 1 {
		t.Errorf("got %+v, %v", one, err)
	}
}

func TestSecretsRefuse(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	before := len(actions(t, v, 1000))
	text := func(s string) opaque.Bytes { return opaque.New([]byte(s)) }
	for _, c := range []struct {
		name, field string
		in          vault.NewSecret
	}{
		{"no path", "key_path", vault.NewSecret{Type: vault.KeyValue}},
		{"path up", "key_path", vault.NewSecret{Path: "a/../b", Type: vault.KeyValue}},
		{"path with a NUL", "key_path", vault.NewSecret{Path: "a\x00b", Type: vault.KeyValue}},
		{"path with markup", "key_path", vault.NewSecret{Path: "<b>", Type: vault.KeyValue}},
		{"long path", "key_path", vault.NewSecret{Path: strings.Repeat("a", 513), Type: vault.KeyValue}},
		{"no type", "secret_type", vault.NewSecret{Path: "a"}},
		{"other type", "secret_type", vault.NewSecret{Path: "a", Type: "SSH"}},
		{"namespace with a dot first", "namespace", vault.NewSecret{Path: "a", Type: vault.KeyValue, Namespace: ".x"}},
		{"NUL in value", "value", vault.NewSecret{Path: "a", Type: vault.KeyValue, Value: text("a\x00b")}},
		{"value not UTF-8", "value", vault.NewSecret{Path: "a", Type: vault.KeyValue, Value: text("\xff")}},
		{"long value", "value", vault.NewSecret{Path: "a", Type: vault.KeyValue, Value: text(strings.Repeat("a", vault.MaxValue+1))}},
		{"not JSON", "value", vault.NewSecret{Path: "a", Type: vault.JSONConfig, Value: text("{")}},
		{"escape in description", "description", vault.NewSecret{Path: "a", Type: vault.KeyValue, Description: new("\x1b[2J")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := v.CreateSecret(ctx, admin, c.in)
			wantInvalid(t, err, c.field)
		})
	}
	if after := len(actions(t, v, 1000)); after != before {
		t.Errorf("bad input made %d audit entries", after-before)
	}
	if all, err := v.Namespaces(ctx, admin); err != nil || len(all) != 1 {
		t.Errorf("bad input made a namespace: %v, %v", all, err)
	}
}

func TestOnlyAdminsManage(t *testing.T) {
	ctx, v := t.Context(), vaulttest.New(t)
	s := keep(t, v, "", "key", "value")
	agent := access.Caller{Kind: access.Agent, ID: "x", Name: "bot", Auth: "agent-proof"}
	for name, by := range map[string]access.Caller{"agent": agent, "anonymous": access.Nobody(vaulttest.Origin), "zero": {}} {
		t.Run(name, func(t *testing.T) {
			_, _, err := v.ReadSecret(ctx, by, s.ID)
			want(t, err, vault.ErrDenied)
			want(t, v.DeleteSecret(ctx, by, s.ID), vault.ErrDenied)
			_, err = v.Secrets(ctx, by, vault.SecretFilter{})
			want(t, err, vault.ErrDenied)
			_, _, err = v.AuditLog(ctx, by, vault.AuditQuery{})
			want(t, err, vault.ErrDenied)
		})
	}
	if got := actions(t, v, 1)[0]; got != "delete_secret denied" {
		t.Errorf("recorded %q", got)
	}
}

func TestNamespaces(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	wantInvalid(t, v.DeleteNamespace(ctx, admin, "default"), "name")
	if _, err := v.CreateNamespace(ctx, admin, " prod ", new("production")); err != nil {
		t.Fatal(err)
	}
	_, err := v.CreateNamespace(ctx, admin, "prod", nil)
	want(t, err, vault.ErrExists)
	_, err = v.CreateNamespace(ctx, admin, "  ", nil)
	wantInvalid(t, err, "name")
	s := keep(t, v, "prod", "key", "value")
	want(t, v.DeleteNamespace(ctx, admin, "prod"), vault.ErrInUse)
	if err := v.DeleteSecret(ctx, admin, s.ID); err != nil {
		t.Fatal(err)
	}
	register(t, v, "prod", "bot")
	want(t, v.DeleteNamespace(ctx, admin, "prod"), vault.ErrInUse)
	if err := v.DeleteAgent(ctx, admin, "prod", "bot"); err != nil {
		t.Fatal(err)
	}
	if err := v.DeleteNamespace(ctx, admin, "prod"); err != nil {
		t.Fatal(err)
	}
	want(t, v.DeleteNamespace(ctx, admin, "prod"), vault.ErrNotFound)
}

func TestAgents(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	h := register(t, v, "", "bot")
	for name, c := range map[string]struct {
		in     vault.NewAgent
		field  string
		target error
	}{
		"dot in id":          {vault.NewAgent{AgentID: "a.b", Key: vaulttest.Public(vaulttest.NewKey(t))}, "agent_id", nil},
		"no key":             {vault.NewAgent{AgentID: "a"}, "agent_pub", nil},
		"key not base64":     {vault.NewAgent{AgentID: "a", Key: "!"}, "agent_pub", nil},
		"low-order key":      {vault.NewAgent{AgentID: "a", Key: strings.Repeat("A", 43)}, "agent_pub", nil},
		"taken":              {vault.NewAgent{AgentID: "bot", Key: vaulttest.Public(vaulttest.NewKey(t))}, "", vault.ErrExists},
		"same key elsewhere": {vault.NewAgent{AgentID: "bot", Namespace: "other", Key: vaulttest.Public(h.key)}, "", vault.ErrExists},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.CreateAgent(ctx, admin, c.in)
			if c.target != nil {
				want(t, err, c.target)
				return
			}
			wantInvalid(t, err, c.field)
		})
	}
	register(t, v, "other", "bot")
	want(t, v.DeleteAgent(ctx, admin, "", "bot"), vault.ErrAmbiguous)
	want(t, v.DeleteAgent(ctx, admin, "a\x00b", "bot"), vault.ErrNotFound)
	if err := v.DeleteAgent(ctx, admin, "other", "bot"); err != nil {
		t.Fatal(err)
	}
	if all, err := v.Agents(ctx, admin, ""); err != nil || len(all) != 1 || all[0].AgentID != "bot" {
		t.Errorf("got %+v, %v", all, err)
	}
}

func TestPoliciesRefuse(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	for name, c := range map[string]struct {
		in    vault.NewPolicy
		field string
	}{
		"no name":           {vault.NewPolicy{AgentPattern: "*"}, "policy_name"},
		"no agents":         {vault.NewPolicy{Name: "p"}, "agent_pattern"},
		"star in front":     {vault.NewPolicy{Name: "p", AgentPattern: "*", Denied: []string{"*-prod"}}, "denied_paths"},
		"star in the midst": {vault.NewPolicy{Name: "p", AgentPattern: "*", Allowed: []string{"a/*/b"}}, "allowed_paths"},
		"two stars":         {vault.NewPolicy{Name: "p", AgentPattern: "**"}, "agent_pattern"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.CreatePolicy(ctx, admin, c.in)
			wantInvalid(t, err, c.field)
		})
	}
	p, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "*"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "*"})
	want(t, err, vault.ErrExists)
	if err := v.DeletePolicy(ctx, admin, p.ID); err != nil {
		t.Fatal(err)
	}
	want(t, v.DeletePolicy(ctx, admin, p.ID), vault.ErrNotFound)
}
