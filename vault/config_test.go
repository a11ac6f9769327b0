package vault_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// keepTemplate makes a template.
func keepTemplate(t *testing.T, v *vault.Vault, path, source string, honey bool) vault.Secret {
	t.Helper()
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: path, Type: vault.TemplateConfig, Value: opaque.New([]byte(source)), Honey: honey,
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// config asks for a rendered template.
func (h *host) config(project, template string, bearer []byte) (string, error) {
	text, err := h.v.FetchConfig(h.t.Context(), vaulttest.Origin, vault.ConfigRequest{
		Project: project, Template: template, Bearer: opaque.New(bearer),
		Attestation: h.sign("GET", "/project/config/"+project+"/"+template, "", proof.AuthTokenID(string(bearer))),
	})
	return string(text.Reveal()), err
}

// wantTemplateError fails the test unless err says reason of a template.
func wantTemplateError(t *testing.T, err error, reason string) {
	t.Helper()
	if e, ok := errors.AsType[*vault.TemplateError](err); !ok || !strings.Contains(e.Reason, reason) {
		t.Fatalf("got %v, want a TemplateError: %s", err, reason)
	}
}

func TestConfig(t *testing.T) {
	v := vaulttest.New(t)
	keep(t, v, "", "db/password", `<&'"=`)
	keep(t, v, "", "unused", "never")
	keepTemplate(t, v, "app.conf", "pw={{db/password}} {{db_password}} {{{PASSWORD}}}\n", false)
	h := enrol(t, v, "", "bot")
	if _, err := v.CreateProjectGrant(t.Context(), vaulttest.Admin, vault.NewProjectGrant{Project: "app", SecretID: keep(t, v, "", "other", "x").ID}); err != nil {
		t.Fatal(err)
	}
	grantAll(t, v, "app", "db/password", "unused")
	bearer := h.approved("app", "PASSWORD", "UNUSED").Token.Reveal()
	got, err := h.config("app", "app.conf", bearer)
	if want := "pw=" + strings.Repeat(`<&'"= `, 2) + `<&'"=` + "\n"; err != nil || got != want {
		t.Fatalf("got %q, want %q: %v", got, want, err)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	var about []string
	for _, r := range rows[0].Resources {
		about = append(about, r.Path+" "+r.Decision)
	}
	if r := rows[0]; r.Action != "get_config" || *r.AgentID != "bot" || *r.Resource != "app.conf" || !slices.Equal(about, []string{"app.conf template:allowed", "db/password allowed"}) {
		t.Errorf("recorded %+v", r)
	}
	for path, reason := range map[string]string{"unknown": `uses "OTHER"`, "branch": `uses "nowhere"`} {
		source := map[string]string{"unknown": "{{OTHER}}", "branch": "{{#if PASSWORD}}x{{else}}{{nowhere}}{{/if}}"}[path]
		keepTemplate(t, v, path, source, false)
		_, err := h.config("app", path, bearer)
		wantTemplateError(t, err, reason)
		if got := actions(t, v, 1); got[0] != "get_config refused:template" {
			t.Errorf("%v", got)
		}
	}
	for _, path := range []string{"nothing", "db/password", "../x", ""} {
		_, err = h.config("app", path, bearer)
		want(t, err, vault.ErrNotFound)
	}
	intact(t, v)
}

// grantAll gives a project the secrets at the paths.
func grantAll(t *testing.T, v *vault.Vault, project string, paths ...string) {
	t.Helper()
	all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if slices.Contains(paths, s.Path) {
			if _, err := v.CreateProjectGrant(t.Context(), vaulttest.Admin, vault.NewProjectGrant{Project: project, SecretID: s.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// One name must not mean two secrets, whichever would win.
func TestConfigAmbiguous(t *testing.T) {
	v := vaulttest.New(t)
	one, two := keep(t, v, "", "a/b", "1"), keep(t, v, "", "a_b", "2")
	for i, s := range []vault.Secret{one, two} {
		if _, err := v.CreateProjectGrant(t.Context(), vaulttest.Admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID, EnvVar: new([]string{"ONE", "TWO"}[i])}); err != nil {
			t.Fatal(err)
		}
	}
	keepTemplate(t, v, "clear", "{{a/b}}{{ONE}}{{TWO}}", false)
	keepTemplate(t, v, "unclear", "{{a_b}}", false)
	h := enrol(t, v, "", "bot")
	bearer := h.approved("app", "ONE", "TWO").Token.Reveal()
	if got, err := h.config("app", "clear", bearer); got != "112" {
		t.Errorf("%q, %v", got, err)
	}
	_, err := h.config("app", "unclear", bearer)
	wantTemplateError(t, err, "means both a/b and a_b")
}

// A template opens nothing that a fetch would not: policies, grants and traps
// hold for it too, and for the template itself.
func TestConfigRefuses(t *testing.T) {
	v, h, s, bearer := ready(t)
	keepTemplate(t, v, "conf", "{{KEY}}", false)
	other := enrol(t, v, "", "other")
	_, err := other.config("app", "conf", bearer)
	want(t, err, vault.ErrUnauthorized)
	_, err = h.v.FetchConfig(t.Context(), vaulttest.Origin, vault.ConfigRequest{
		Project: "app", Template: "conf", Bearer: opaque.New(bearer),
		Attestation: h.sign("GET", "/project/secrets/app", "", proof.AuthTokenID(string(bearer))),
	})
	want(t, err, vault.ErrUnauthorized)

	policy := func(p vault.NewPolicy) (drop func()) {
		p.Name, p.AgentPattern = "p", "bot"
		made, err := v.CreatePolicy(t.Context(), vaulttest.Admin, p)
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := v.DeletePolicy(t.Context(), vaulttest.Admin, made.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	drop := policy(vault.NewPolicy{Denied: []string{"conf"}})
	_, err = h.config("app", "conf", bearer)
	want(t, err, vault.ErrDenied)
	rows, _, _ := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if len(rows[0].Resources) != 1 || rows[0].Resources[0].Decision != "template:denied:policy=p" {
		t.Errorf("recorded %+v", rows[0])
	}
	drop()
	drop = policy(vault.NewPolicy{Denied: []string{"key"}})
	_, err = h.config("app", "conf", bearer)
	wantTemplateError(t, err, `"KEY"`)
	drop()
	drop = policy(vault.NewPolicy{Allowed: []string{"key"}})
	_, err = h.config("app", "conf", bearer)
	want(t, err, vault.ErrDenied)
	drop()
	if got, err := h.config("app", "conf", bearer); got != "value" {
		t.Fatalf("%q, %v", got, err)
	}
	if err := v.DeleteSecret(t.Context(), vaulttest.Admin, s.ID); err != nil {
		t.Fatal(err)
	}
	_, err = h.config("app", "conf", bearer)
	wantTemplateError(t, err, `"KEY"`)
	intact(t, v)
}

// A trap is sprung by a template that is one, and by one that a token maps,
// whether the template names it or not.
func TestConfigHoney(t *testing.T) {
	for _, mapped := range []bool{false, true} {
		v := vaulttest.New(t)
		keep(t, v, "", "key", "value")
		h := enrol(t, v, "", "bot")
		keepTemplate(t, v, "conf", "nothing", !mapped)
		names := []string{"KEY"}
		if mapped {
			s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: "decoy", Type: vault.KeyValue, Value: opaque.New([]byte("d")), Honey: true})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := v.CreateProjectGrant(t.Context(), vaulttest.Admin, vault.NewProjectGrant{Project: "app", SecretID: s.ID}); err != nil {
				t.Fatal(err)
			}
			names = append(names, "DECOY")
		}
		bearer := h.approved("app", names...).Token.Reveal()
		_, err := h.config("app", "conf", bearer)
		want(t, err, vault.ErrUnauthorized)
		if got := actions(t, v, 2); !slices.Contains(got, "honey_token_access alarm") {
			t.Errorf("%v", got)
		}
		_, err = h.fetch("app", bearer)
		if !errors.Is(err, vault.ErrUnauthorized) && !errors.Is(err, vault.ErrTokenRevoked) {
			t.Errorf("the token still works: %v", err)
		}
	}
}

func TestBadTemplate(t *testing.T) {
	v := vaulttest.New(t)
	_, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{Path: "t", Type: vault.TemplateConfig, Value: opaque.New([]byte("a\n{{#each x}}hush{{/each}}"))})
	wantInvalid(t, err, "value")
	if strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "line 2") {
		t.Error(err)
	}
	s := keepTemplate(t, v, "t", "fine", false)
	bad := opaque.New([]byte("{{"))
	_, err = v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{Value: &bad})
	wantInvalid(t, err, "value")
}

func TestConfigNeedsAnAgent(t *testing.T) {
	if access.Nobody(vaulttest.Origin).May(access.GetConfig) || !(access.Caller{Kind: access.Agent}).May(access.GetConfig) {
		t.Error("who may get a config")
	}
}
