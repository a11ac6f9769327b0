package vault_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// tellTo makes a channel and returns it.
func tellTo(t *testing.T, v *vault.Vault, name string, f vault.ChannelFilter) vault.Channel {
	t.Helper()
	c, err := v.CreateChannel(t.Context(), vaulttest.Admin, vault.NewChannel{
		Type: vault.Slack, Name: name, Config: opaque.New([]byte(`{"webhook_url":"canary"}`)), Enabled: true, ChannelFilter: f,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestChannels(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	c := tellTo(t, v, "ops", vault.ChannelFilter{MinSeverity: vault.Warning})
	list, err := v.Channels(ctx, vaulttest.Admin)
	if err != nil || len(list) != 1 || list[0].Name != "ops" || list[0].MinSeverity != vault.Warning || !list[0].Enabled {
		t.Fatalf("%+v %v", list, err)
	}
	n := vault.NewChannel{Type: vault.Discord, Name: "ops", Config: opaque.New([]byte("{}"))}
	_, err = v.CreateChannel(ctx, vaulttest.Admin, n)
	want(t, err, vault.ErrExists)
	agent := access.Caller{Kind: access.Agent, Name: "bot"}
	_, err = v.CreateChannel(ctx, agent, vault.NewChannel{Type: vault.Slack, Name: "x", Config: opaque.New([]byte("{}"))})
	want(t, err, vault.ErrDenied)
	_, err = v.TestChannel(ctx, agent, c.ID)
	want(t, err, vault.ErrDenied)

	for field, change := range map[string]func(*vault.NewChannel){
		"channel_type": func(n *vault.NewChannel) { n.Type = "pigeon" },
		"name":         func(n *vault.NewChannel) { n.Name = " \t" },
		"config":       func(n *vault.NewChannel) { n.Config = opaque.Bytes{} },
		"description":  func(n *vault.NewChannel) { n.Description = new(strings.Repeat("x", 4000)) },
		"min_severity": func(n *vault.NewChannel) { n.MinSeverity = "urgent" },
		"namespaces":   func(n *vault.NewChannel) { n.Namespaces = []string{"a b"} },
		"events":       func(n *vault.NewChannel) { n.Events = []string{"get_secrets"} },
		"template":     func(n *vault.NewChannel) { n.Template = strings.Repeat("x", 1001) },
	} {
		bad := n
		bad.Name = "other"
		change(&bad)
		_, err := v.CreateChannel(ctx, vaulttest.Admin, bad)
		wantInvalid(t, err, field)
	}
	want(t, v.UpdateChannel(ctx, vaulttest.Admin, "nope", vault.ChannelChange{}), vault.ErrNotFound)
	wantInvalid(t, v.UpdateChannel(ctx, vaulttest.Admin, c.ID, vault.ChannelChange{Events: &[]string{"x"}}), "events")
	if err := v.UpdateChannel(ctx, vaulttest.Admin, c.ID, vault.ChannelChange{Enabled: new(false), MinSeverity: new(vault.Severity(""))}); err != nil {
		t.Fatal(err)
	}
	if list, err := v.Channels(ctx, vaulttest.Admin); err != nil || list[0].Enabled || list[0].MinSeverity != "" {
		t.Errorf("%+v %v", list, err)
	}
	if err := v.DeleteChannel(ctx, vaulttest.Admin, c.ID); err != nil {
		t.Fatal(err)
	}
	want(t, v.DeleteChannel(ctx, vaulttest.Admin, c.ID), vault.ErrNotFound)
	intact(t, v)
}

// Whoever fills a namespace with channels leaves room for those of others.
func TestTooManyChannels(t *testing.T) {
	v := vaulttest.New(t)
	in := func(namespaces ...string) vault.ChannelFilter { return vault.ChannelFilter{Namespaces: namespaces} }
	for i := range 64 {
		tellTo(t, v, fmt.Sprint("all", i), in())
		tellTo(t, v, fmt.Sprint("prod", i), in("prod"))
	}
	for _, namespaces := range [][]string{nil, {"prod"}, {"staging", "prod"}} {
		_, err := v.CreateChannel(t.Context(), vaulttest.Admin, vault.NewChannel{
			Type: vault.Slack, Name: "more", Config: opaque.New([]byte("{}")), ChannelFilter: in(namespaces...),
		})
		want(t, err, vault.ErrTooMany)
	}
	c := tellTo(t, v, "staging", in("staging"))
	want(t, v.UpdateChannel(t.Context(), vaulttest.Admin, c.ID, vault.ChannelChange{Namespaces: &[]string{"prod"}}), vault.ErrTooMany)
	want(t, v.UpdateChannel(t.Context(), vaulttest.Admin, c.ID, vault.ChannelChange{Namespaces: &[]string{"staging", "test"}}), nil)
}

// Who is confined to namespaces makes and sees channels that hear of those, and
// of nothing else.
func TestConfinedChannels(t *testing.T) {
	v := vaulttest.New(t)
	ctx := t.Context()
	wide := tellTo(t, v, "wide", vault.ChannelFilter{})
	other := tellTo(t, v, "other", vault.ChannelFilter{Namespaces: []string{"prod", "staging"}})
	by := vaulttest.Admin
	by.Role, by.Namespaces = access.Manager, []string{"staging"}
	for _, namespaces := range [][]string{nil, {"prod"}, {"staging", "prod"}} {
		_, err := v.CreateChannel(ctx, by, vault.NewChannel{
			Type: vault.Slack, Name: "x", Config: opaque.New([]byte("{}")), ChannelFilter: vault.ChannelFilter{Namespaces: namespaces},
		})
		want(t, err, vault.ErrDenied)
	}
	mine, err := v.CreateChannel(ctx, by, vault.NewChannel{
		Type: vault.Slack, Name: "mine", Config: opaque.New([]byte("{}")), ChannelFilter: vault.ChannelFilter{Namespaces: []string{"staging"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if list, err := v.Channels(ctx, by); err != nil || len(list) != 1 || list[0].ID != mine.ID {
		t.Errorf("%+v %v", list, err)
	}
	for _, namespaces := range [][]string{{}, {"prod"}, {"staging", "prod"}} {
		want(t, v.UpdateChannel(ctx, by, mine.ID, vault.ChannelChange{Namespaces: &namespaces}), vault.ErrDenied)
	}
	for _, c := range []vault.Channel{wide, other} {
		want(t, v.UpdateChannel(ctx, by, c.ID, vault.ChannelChange{Namespaces: &[]string{"staging"}}), vault.ErrNotFound)
		want(t, v.DeleteChannel(ctx, by, c.ID), vault.ErrNotFound)
		_, err := v.TestChannel(ctx, by, c.ID)
		want(t, err, vault.ErrNotFound)
		_, err = v.DeadLetters(ctx, by, c.ID)
		want(t, err, vault.ErrNotFound)
		_, err = v.RetryDeadLetters(ctx, by, c.ID, nil)
		want(t, err, vault.ErrNotFound)
		_, err = v.Channel(ctx, by, c.ID)
		want(t, err, vault.ErrNotFound)
	}
	if err := v.UpdateChannel(ctx, by, mine.ID, vault.ChannelChange{Enabled: new(true)}); err != nil {
		t.Error(err)
	}
	by.Role = access.Auditor
	want(t, v.DeleteChannel(ctx, by, mine.ID), vault.ErrDenied)
	if _, err := v.DeadLetters(ctx, by, mine.ID); err != nil {
		t.Error(err)
	}
}
