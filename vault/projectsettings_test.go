package vault_test

import (
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

func TestTokenTTL(t *testing.T) {
	v, h, _, first := ready(t)
	ctx := t.Context()
	get := func(ns string) vault.ProjectSettings {
		t.Helper()
		s, err := v.ProjectSettings(ctx, vaulttest.Admin, ns, "app")
		want(t, err, nil)
		return s
	}
	if s := get(""); s.TokenTTL != 14*24*time.Hour || s.Namespace != "default" {
		t.Errorf("%+v", s)
	}
	set := func(ns string, ttl time.Duration) error {
		_, err := v.UpdateProject(ctx, vaulttest.Admin, ns, "app", vault.ProjectChange{TokenTTL: &ttl})
		return err
	}
	for _, bad := range []time.Duration{-1, time.Second, 366 * 24 * time.Hour} {
		wantInvalid(t, set("", bad), "token_ttl_seconds")
	}
	want(t, set("", 2*time.Minute), nil)
	if got := actions(t, v, 1); got[0] != "update_project_settings success" {
		t.Error(got)
	}
	if _, err := h.fetch("app", first); err != nil {
		t.Errorf("a token from before: %v", err)
	}
	res, err := h.rediscover("app", "KEY")
	want(t, err, nil)
	if res.TTL != 2*time.Minute || time.Until(res.Expires) > 2*time.Minute {
		t.Errorf("%v until %v", res.TTL, res.Expires)
	}
	want(t, set("", 0), nil)
	if s := get("default"); s.TokenTTL != 14*24*time.Hour {
		t.Errorf("%+v", s)
	}
	// Another namespace has its own, before there is a project.
	want(t, set("prod", time.Hour), nil)
	if a, b := get("prod"), get(""); a.TokenTTL != time.Hour || b.Namespace != "default" {
		t.Errorf("%+v %+v", a, b)
	}
	_, err = v.ProjectSettings(ctx, vaulttest.Admin, "", "../x")
	wantInvalid(t, err, "project_name")
	_, err = v.ProjectSettings(ctx, vaulttest.Admin, "../x", "app")
	wantInvalid(t, err, "namespace")
}

// A deleted project is gone at once, with everything that was decided for it.
func TestDeleteProject(t *testing.T) {
	v, h, s, bearer := ready(t)
	ctx := t.Context()
	_, err := v.UpdateProject(ctx, vaulttest.Admin, "", "app", vault.ProjectChange{TokenTTL: new(time.Hour)})
	want(t, err, nil)
	want(t, v.DeleteProject(ctx, vaulttest.Admin, "", "app"), nil)
	_, err = h.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
	if g, err := v.ProjectGrants(ctx, vaulttest.Admin, "", "app"); err != nil || len(g) != 0 {
		t.Errorf("%v, %v", g, err)
	}
	if p, err := v.PendingGrants(ctx, vaulttest.Admin); err != nil || len(p) != 0 {
		t.Errorf("%v, %v", p, err)
	}
	if got, _ := v.ProjectSettings(ctx, vaulttest.Admin, "", "app"); got.TokenTTL != 14*24*time.Hour {
		t.Errorf("%+v", got)
	}
	want(t, v.DeleteProject(ctx, vaulttest.Admin, "", "app"), vault.ErrNotFound)
	// The name is free for another agent.
	other := enrol(t, v, "", "other")
	bearer = other.approved("app", "KEY").Token.Reveal()
	if got, err := other.fetch("app", bearer); got["KEY"] != "value" {
		t.Errorf("%v, %v (%s)", got, err, s.ID)
	}
	// The same name elsewhere is another project.
	keep(t, v, "prod", "key", "prod")
	third := enrol(t, v, "prod", "third")
	third.approved("app", "KEY")
	want(t, v.DeleteProject(ctx, vaulttest.Admin, "", "app"), vault.ErrAmbiguous)
	want(t, v.DeleteProject(ctx, vaulttest.Admin, "prod", "app"), nil)
	if got, err := other.fetch("app", bearer); got["KEY"] != "value" {
		t.Errorf("%v, %v", got, err)
	}
	intact(t, v)
}
