package vault_test

import (
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// keepJSON makes a JSON_CONFIG.
func keepJSON(t *testing.T, v *vault.Vault, path, text string) vault.Secret {
	t.Helper()
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: path, Type: vault.JSONConfig, Value: opaque.New([]byte(text))})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// member grants a member of a secret.
func member(t *testing.T, v *vault.Vault, id, pointer, variable string) vault.ProjectGrant {
	t.Helper()
	g, err := v.CreateProjectGrant(t.Context(), vaulttest.Admin, vault.NewProjectGrant{Project: "app", SecretID: id, Pointer: pointer, EnvVar: &variable})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// A JSON_CONFIG is delivered as its text stands, or one member of it: texts as
// they are, everything else as JSON.
func TestJSONConfigIsDelivered(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	const text = "{\"db\": {\"password\": \"p\\u00e9 \\\"<\\n\", \"port\": 5432, \"tls\": {\"on\" : true}}, \"nul\": \"a\\u0000b\"}"
	s := keepJSON(t, v, "app/config", text)
	h := enrol(t, v, "", "bot")
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID}); err != nil {
		t.Fatal(err)
	}
	g := member(t, v, s.ID, "/db/password", "")
	if g.Variable != "PASSWORD" || g.SecretPath != "app/config#/db/password" || g.Pointer != "/db/password" {
		t.Errorf("got %+v", g)
	}
	member(t, v, s.ID, "/db/port", "PORT")
	member(t, v, s.ID, "/db/tls", "TLS")
	member(t, v, s.ID, "/db/user", "USER_NAME")
	member(t, v, s.ID, "/nul", "NUL")
	names := []string{"CONFIG", "PASSWORD", "PORT", "TLS", "USER_NAME", "NUL"}
	res := h.approved("app", names...)
	if res.Mapped["PASSWORD"] != "app/config#/db/password" || res.Mapped["CONFIG"] != "app/config" || len(res.Mapped) != len(names) {
		t.Errorf("mapped %v", res.Mapped)
	}
	token := res.Token.Reveal()
	got, err := h.fetch("app", token)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"CONFIG": text, "PASSWORD": "pé \"<\n", "PORT": "5432", "TLS": `{"on" : true}`} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	if len(got) != 4 {
		t.Errorf("got %d values", len(got))
	}
	rows, _, err := v.AuditLog(ctx, admin, vault.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"app/config#/db/password=allowed", "app/config#/db/user=withheld:nothing at pointer", "app/config#/nul=withheld:no text at pointer"} {
		if !strings.Contains(decisions(rows[0]), want) {
			t.Errorf("recorded %s, want %s", decisions(rows[0]), want)
		}
	}

	// The value changes its shape: members that are gone are withheld, those that
	// are new are there, without anybody being asked.
	change(t, v, s.ID, `{"db":{"user":"u"}}`)
	if got, err = h.fetch("app", token); err != nil || got["USER_NAME"] != "u" || len(got) != 2 {
		t.Errorf("got %q, %v", got, err)
	}
	intact(t, v)
}

func TestPointerGrantsRefuse(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s, plain := keepJSON(t, v, "config", `{"a":1}`), keep(t, v, "", "plain", "v")
	member(t, v, s.ID, "/a", "A")
	for name, c := range map[string]struct {
		in    vault.NewProjectGrant
		field string
	}{
		"no slash":        {vault.NewProjectGrant{SecretID: s.ID, Pointer: "a"}, "json_pointer"},
		"half an escape":  {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/a~"}, "json_pointer"},
		"NUL":             {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/a\x00"}, "json_pointer"},
		"RTL":             {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/\u202ea"}, "json_pointer"},
		"line break":      {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/\n"}, "json_pointer"},
		"long":            {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/" + strings.Repeat("a", 512)}, "json_pointer"},
		"not JSON_CONFIG": {vault.NewProjectGrant{SecretID: plain.ID, Pointer: "/a"}, "json_pointer"},
		"no variable":     {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/"}, "env_var_name"},
		"odd variable":    {vault.NewProjectGrant{SecretID: s.ID, Pointer: "/a b"}, "env_var_name"},
	} {
		c.in.Project = "app"
		_, err := v.CreateProjectGrant(ctx, admin, c.in)
		if err == nil {
			t.Errorf("%s: it works", name)
		}
		wantInvalid(t, err, c.field)
	}
	// The same member under another variable, another member under the same one.
	_, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, Pointer: "/a", EnvVar: new("B")})
	want(t, err, vault.ErrExists)
	_, err = v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, Pointer: "/b", EnvVar: new("a")})
	want(t, err, vault.ErrExists)
	member(t, v, s.ID, "/b", "B")
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID}); err != nil {
		t.Errorf("the whole beside its members: %v", err)
	}
}

// An approval is for what was shown: a grant that leads elsewhere asks again.
func TestApprovalIsOfThePointer(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keepJSON(t, v, "config", `{"a":"1","b":"2"}`)
	h := enrol(t, v, "", "bot")
	g := member(t, v, s.ID, "/a", "KEY")
	token := h.approved("app", "KEY").Token.Reveal()
	if err := v.DeleteProjectGrant(ctx, admin, "app", g.ID); err != nil {
		t.Fatal(err)
	}
	member(t, v, s.ID, "/b", "KEY")
	if res, err := h.fetchResult("app", token); err != nil || len(res.Values) != 0 {
		t.Errorf("got %+v, %v", res, err)
	}
	_, err := h.rediscover("app", "KEY")
	wantPending(t, err, "KEY")
}

// What is asked for as a whole is not approved as a part that came meanwhile.
func TestProposalDoesNotBecomeAPointer(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := keepJSON(t, v, "config", `{"a":"1"}`)
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "CONFIG")
	wantPending(t, err, "CONFIG")
	member(t, v, s.ID, "/a", "CONFIG")
	all, err := v.PendingGrants(ctx, admin)
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	_, err = v.ApproveGrant(ctx, admin, all[0].ID, vault.Approval{})
	wantInvalid(t, err, "approved_keys")
}

// Names in a template may mean members, each its own.
func TestTemplateWithMembers(t *testing.T) {
	v := vaulttest.New(t)
	s := keepJSON(t, v, "config", `{"a":"1","b":{"c":2}}`)
	keepTemplate(t, v, "t", "{{ONE}} {{TWO}} {{CONFIG}}", false)
	h := enrol(t, v, "", "bot")
	member(t, v, s.ID, "/a", "ONE")
	member(t, v, s.ID, "/b", "TWO")
	member(t, v, s.ID, "", "CONFIG")
	token := h.approved("app", "ONE", "TWO", "CONFIG").Token.Reveal()
	if got, err := h.config("app", "t", token); err != nil || got != `1 {"c":2} {"a":"1","b":{"c":2}}` {
		t.Errorf("got %q, %v", got, err)
	}
	change(t, v, s.ID, `{"a":"1"}`)
	if _, err := h.config("app", "t", token); err == nil || !strings.Contains(err.Error(), "TWO") {
		t.Errorf("got %v", err)
	}
}
