package vault_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// A freeze says what becomes of the commands of an agent's projects, as the settings are
// by then, and nothing of the projects of others.
func TestFreezeSaysWhatBecomesOfCommands(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, _ := ready(t)
	h.approved("plain", "KEY")
	other := enrol(t, v, "", "other")
	other.approved("theirs", "KEY")
	third := enrol(t, v, "", "third")
	set := func(project string, rule vault.OnFreeze) {
		t.Helper()
		if _, err := v.UpdateProject(ctx, admin, "", project, vault.ProjectChange{OnFreeze: &rule}); err != nil {
			t.Fatal(err)
		}
	}
	set("app", vault.FreezeEnds)
	set("theirs", vault.FreezeEnds)
	told := func(w *vault.Watch, what vault.FreezeKind, want map[string]vault.OnFreeze) {
		t.Helper()
		freezes := 0
		for _, e := range heard(t, w) {
			if e.Kind != vault.EventFreeze {
				continue
			}
			if freezes++; e.What != what || !maps.Equal(e.OnFreeze, want) {
				t.Errorf("a freeze of a %s says %v, want %v", what, e.OnFreeze, want)
			}
		}
		if freezes != 1 {
			t.Errorf("%d freezes of a %s", freezes, what)
		}
	}
	w, theirs, nobodys := h.watch(), other.watch(), third.watch()
	for _, target := range []vault.FreezeTarget{
		{Kind: vault.FreezeAgent, Name: "bot"}, {Kind: vault.FreezeProject, Name: "app"}, {Kind: vault.FreezeNamespace, Name: "default"},
	} {
		for _, rule := range []vault.OnFreeze{vault.FreezeEnds, vault.FreezeLeaves} {
			set("app", rule)
			if _, _, err := v.Freeze(ctx, admin, target, nil); err != nil {
				t.Fatal(err)
			}
			told(w, target.Kind, map[string]vault.OnFreeze{"app": rule})
			if target.Kind == vault.FreezeNamespace {
				told(theirs, target.Kind, map[string]vault.OnFreeze{"theirs": vault.FreezeEnds})
				told(nobodys, target.Kind, nil)
			}
			if target.Kind == vault.FreezeProject {
				told(h.watch(), target.Kind, map[string]vault.OnFreeze{"app": rule}) // one that comes later
				w = h.watch()
				heard(t, w)
			}
			if _, err := v.Unfreeze(ctx, admin, target); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A freeze of a secret says it of each project that the secret is in.
func TestSecretFreezeSaysWhatBecomesOfCommands(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, _, _ := ready(t)
	h.approved("plain", "KEY")
	if _, err := v.UpdateProject(ctx, admin, "", "app", vault.ProjectChange{OnFreeze: new(vault.FreezeEnds)}); err != nil {
		t.Fatal(err)
	}
	w := h.watch()
	if _, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeSecret, Name: "key"}, nil); err != nil {
		t.Fatal(err)
	}
	said := map[string]map[string]vault.OnFreeze{}
	for _, e := range heard(t, w) {
		said[e.Project] = e.OnFreeze
	}
	if len(said) != 2 || !maps.Equal(said["app"], map[string]vault.OnFreeze{"app": vault.FreezeEnds}) || said["plain"] != nil {
		t.Errorf("%v", said)
	}
}

// Whoever does not read misses no freeze: nothing that it asks for afterwards tells of one.
func TestSlowWatchHearsOfFreezes(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, s, _ := ready(t)
	var names []string
	for n := range 100 {
		names = append(names, fmt.Sprint("key", n))
		keep(t, v, "", names[n], "value")
	}
	for some := range slices.Chunk(names, 20) {
		h.approved("some-"+some[0], append(some, "KEY")...)
	}
	w := h.watch()
	freezes := func(w *vault.Watch) (told int) {
		last := uint64(0)
		for _, e := range heard(t, w) {
			if e.Kind == vault.EventFreeze {
				told++
			}
			if e.Seq < last && e.Kind != vault.EventResync {
				t.Errorf("%+v after %d", e, last)
			}
			last = max(last, e.Seq)
		}
		return told
	}
	for n, name := range names {
		if _, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeSecret, Name: name}, nil); err != nil {
			t.Fatal(err)
		}
		if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Value: new(opaque.New([]byte(fmt.Sprint(n))))}); err != nil {
			t.Fatal(err)
		}
	}
	if told := freezes(w); told != 100 {
		t.Errorf("%d freezes are told", told)
	}
	if told := freezes(h.watch()); told != 100 {
		t.Errorf("%d freezes that stand are told", told)
	}
}

// A change of the settings is told at once: whoever is cut off may hear of no freeze. It is
// not lost on a slow reader, and the last one counts.
func TestChangedSettingsAreTold(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v, h, s, _ := ready(t)
	h.approved("plain", "KEY")
	w := h.watch()
	for n, rule := range []vault.OnFreeze{vault.FreezeEnds, vault.FreezeLeaves, vault.FreezeEnds} {
		if _, err := v.UpdateProject(ctx, admin, "", "app", vault.ProjectChange{OnFreeze: &rule}); err != nil {
			t.Fatal(err)
		}
		for range n * 100 {
			if _, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Value: new(opaque.New([]byte("other")))}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := v.UpdateProject(ctx, admin, "", "plain", vault.ProjectChange{OnFreeze: new(vault.FreezeLeaves)}); err != nil {
			t.Fatal(err)
		}
		told := map[string]vault.OnFreeze{}
		for _, e := range heard(t, w) {
			maps.Copy(told, e.OnFreeze)
		}
		if !maps.Equal(told, map[string]vault.OnFreeze{"app": rule, "plain": vault.FreezeLeaves}) {
			t.Errorf("after %d other events: %v", n*100, told)
		}
	}
}
