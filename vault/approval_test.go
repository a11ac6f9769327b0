package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// An administrator gives a variable another secret than the one its name
// suggests, and the record has both.
func TestRemap(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.New(t)
	keep(t, v, "", "database_url", "read-write")
	other := keep(t, v, "", "db/read_only", "read-only")
	keep(t, v, "", "token", "t")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "DATABASE_URL", "TOKEN")
	p := wantPending(t, err, "DATABASE_URL", "TOKEN")
	got, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{Remap: map[string]string{"DATABASE_URL": "db/read_only"}})
	if err != nil {
		t.Fatal(err)
	}
	item := got.Items[slices.IndexFunc(got.Items, func(i vault.Proposal) bool { return i.Name == "DATABASE_URL" })]
	if item.Path != "db/read_only" || item.Asked != "database_url" {
		t.Errorf("%+v", item)
	}
	rows, _, err := v.AuditLog(ctx, admin, vault.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	said := false
	for _, r := range rows[0].Resources {
		said = said || r.Path == "db/read_only" && strings.HasSuffix(r.Decision, "approved as DATABASE_URL, in place of database_url")
	}
	if !said {
		t.Errorf("recorded %+v", rows[0].Resources)
	}
	res, err := h.discover("app", "DATABASE_URL", "TOKEN")
	if err != nil || res.Mapped["DATABASE_URL"] != "db/read_only" {
		t.Fatalf("%+v, %v", res, err)
	}
	values, err := h.fetch("app", res.Token.Reveal())
	if err != nil || values["DATABASE_URL"] != "read-only" || values["TOKEN"] != "t" {
		t.Errorf("%v, %v", values, err)
	}
	// The grant is the project's: another request of the variable gets it too.
	grants, err := v.ProjectGrants(ctx, admin, "", "app")
	if err != nil || !slices.ContainsFunc(grants, func(g vault.ProjectGrant) bool { return g.SecretID == other.ID && g.Variable == "DATABASE_URL" }) {
		t.Errorf("%+v, %v", grants, err)
	}
	intact(t, v)
}

// A variable that has a grant loses it to the new one.
func TestRemapReplacesAGrant(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.New(t)
	old := keep(t, v, "", "old", "1")
	config, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "config", Type: vault.JSONConfig, Value: opaque.New([]byte(`{"db":{"url":"member"}}`))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreateProjectGrant(ctx, admin, vault.NewProjectGrant{Project: "app", SecretID: old.ID, EnvVar: new("URL")}); err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot")
	_, err = h.discover("app", "URL")
	p := wantPending(t, err, "URL")
	if _, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{Remap: map[string]string{"URL": config.ID + "#/db/url"}}); err != nil {
		t.Fatal(err)
	}
	res, err := h.discover("app", "URL")
	if err != nil {
		t.Fatal(err)
	}
	if values, err := h.fetch("app", res.Token.Reveal()); err != nil || values["URL"] != "member" {
		t.Errorf("%v, %v", values, err)
	}
	grants, err := v.ProjectGrants(ctx, admin, "", "app")
	if err != nil || len(grants) != 1 || grants[0].SecretPath != "config#/db/url" {
		t.Errorf("%+v, %v", grants, err)
	}
	if got := actions(t, v, 4); !slices.Contains(got, "delete_project_grant success") {
		t.Errorf("recorded %v", got)
	}
}

// What an approver may not do by mapping a variable elsewhere.
func TestBadApprovals(t *testing.T) {
	ctx, admin := t.Context(), vaulttest.Admin
	v := vaulttest.New(t)
	keep(t, v, "", "key", "1")
	keep(t, v, "", "other", "2")
	keep(t, v, "", "secret/denied", "3")
	foreign := keep(t, v, "prod", "foreign", "4")
	frozen := keep(t, v, "", "cold", "5")
	if _, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "trap", Type: vault.KeyValue, Value: opaque.New([]byte("bait")), Honey: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreateSecret(ctx, admin, vault.NewSecret{Path: "page", Type: vault.TemplateConfig, Value: opaque.New([]byte("x"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := v.CreatePolicy(ctx, admin, vault.NewPolicy{Name: "p", AgentPattern: "bot", Denied: []string{"secret/*"}}); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Freeze(ctx, admin, vault.FreezeTarget{Kind: vault.FreezeSecret, ID: frozen.ID}, nil); err != nil {
		t.Fatal(err)
	}
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "KEY", "OTHER")
	p := wantPending(t, err, "KEY", "OTHER")
	for name, tc := range map[string]struct {
		vault.Approval
		field string
	}{
		"not requested":  {vault.Approval{Remap: map[string]string{"ELSE": "other"}}, "remap"},
		"not approved":   {vault.Approval{Keys: &[]string{"OTHER"}, Remap: map[string]string{"KEY": "other"}}, "remap"},
		"unknown":        {vault.Approval{Remap: map[string]string{"KEY": "nope"}}, "remap"},
		"empty":          {vault.Approval{Remap: map[string]string{"KEY": ""}}, "remap"},
		"strange":        {vault.Approval{Remap: map[string]string{"KEY": "a\x00b"}}, "remap"},
		"foreign":        {vault.Approval{Remap: map[string]string{"KEY": "foreign"}}, "remap"},
		"foreign id":     {vault.Approval{Remap: map[string]string{"KEY": foreign.ID}}, "remap"},
		"denied":         {vault.Approval{Remap: map[string]string{"KEY": "secret/denied"}}, "remap"},
		"honey":          {vault.Approval{Remap: map[string]string{"KEY": "trap"}}, "remap"},
		"frozen":         {vault.Approval{Remap: map[string]string{"KEY": "cold"}}, "remap"},
		"template":       {vault.Approval{Remap: map[string]string{"KEY": "page"}}, "secret_id"},
		"no JSON":        {vault.Approval{Remap: map[string]string{"KEY": "other#/a"}}, "json_pointer"},
		"pointer":        {vault.Approval{Remap: map[string]string{"KEY": "other#a"}}, "json_pointer"},
		"same as other":  {vault.Approval{Remap: map[string]string{"KEY": "other"}}, "approved_keys"},
		"too many days":  {vault.Approval{Days: 366}, "auto_approval_days"},
		"negative days":  {vault.Approval{Days: -1}, "auto_approval_days"},
		"key of another": {vault.Approval{Keys: &[]string{"foreign"}}, "approved_keys"},
	} {
		_, err := v.ApproveGrant(ctx, admin, p.GrantID, tc.Approval)
		if e, ok := errors.AsType[*vault.InvalidError](err); !ok || e.Field != tc.field {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Nothing of that left anything behind.
	grants, err := v.ProjectGrants(ctx, admin, "", "app")
	if err != nil || len(grants) != 0 {
		t.Errorf("%+v, %v", grants, err)
	}
	_, err = h.discover("app", "KEY", "OTHER")
	if again := wantPending(t, err, "KEY", "OTHER"); again.GrantID != p.GrantID {
		t.Error("another request")
	}
}

// undecided returns a host whose request for a secret waits.
func undecided(t *testing.T) (*vault.Vault, *host, *vault.PendingError) {
	t.Helper()
	v := vaulttest.New(t)
	keep(t, v, "", "key", "1")
	h := enrol(t, v, "", "bot")
	_, err := h.discover("app", "KEY")
	return v, h, wantPending(t, err, "KEY")
}

// A decision holds for as long as was said.
func TestApprovalWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, h, p := undecided(t)
		got, err := v.ApproveGrant(t.Context(), vaulttest.Admin, p.GrantID, vault.Approval{Days: 2})
		if err != nil || time.Until(*got.AutoApprovalUntil) != 48*time.Hour {
			t.Fatalf("%v, %v", got.AutoApprovalUntil, err)
		}
		time.Sleep(48*time.Hour - time.Second)
		if _, err := h.rediscover("app", "KEY"); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		_, err = h.rediscover("app", "KEY")
		wantPending(t, err, "KEY")
	})
}

// A request that is too old cannot be decided, whether somebody has kept the house or not.
func TestTooLateToDecide(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, admin := t.Context(), vaulttest.Admin
		v, _, p := undecided(t)
		time.Sleep(30*24*time.Hour + time.Second)
		_, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{})
		want(t, err, vault.ErrDecided)
		want(t, v.DenyGrant(ctx, admin, p.GrantID), vault.ErrDecided)
	})
}

// A request that nobody decides expires after 30 days, on the record, and the
// agent may ask again.
func TestUndecidedExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, admin := t.Context(), vaulttest.Admin
		v, _, p := undecided(t)
		house, stop := context.WithCancel(ctx)
		defer stop()
		status := func() string {
			all, err := v.PendingGrants(ctx, admin)
			if err != nil {
				t.Fatal(err)
			}
			for _, g := range all {
				if g.ID == p.GrantID {
					return g.Status
				}
			}
			return "gone"
		}
		keepHouse := func(after time.Duration) {
			time.Sleep(after - 2*time.Minute)
			ctx, stop := context.WithCancel(house)
			done := make(chan struct{})
			go func() { defer close(done); _ = v.Run(ctx) }()
			time.Sleep(time.Minute + time.Second)
			stop()
			<-done
			time.Sleep(59 * time.Second)
		}
		keepHouse(30 * 24 * time.Hour)
		if got := status(); got != "pending" {
			t.Errorf("before its time it is %s", got)
		}
		keepHouse(3 * time.Minute)
		if got := status(); got != "expired" {
			t.Errorf("it is %s", got)
		}
		if got := actions(t, v, 1)[0]; got != "pending_grant_expire expired" {
			t.Errorf("recorded %s", got)
		}
		_, err := v.ApproveGrant(ctx, admin, p.GrantID, vault.Approval{})
		want(t, err, vault.ErrDecided)
		keepHouse(31 * 24 * time.Hour)
		if got := status(); got != "gone" {
			t.Errorf("a month later it is %s", got)
		}
		intact(t, v)
	})
}

// Of administrators who decide the same request at the same time one wins, and
// the others are told.
func TestDecidersRace(t *testing.T) {
	ctx := t.Context()
	v, _, p := undecided(t)
	var deciders sync.WaitGroup
	var mu sync.Mutex
	won := map[string]int{}
	for n := range 16 {
		deciders.Go(func() {
			var err error
			said := "denied"
			if n%2 == 0 {
				_, err = v.ApproveGrant(ctx, vaulttest.Admin, p.GrantID, vault.Approval{})
				said = "approved"
			} else {
				err = v.DenyGrant(ctx, vaulttest.Admin, p.GrantID)
			}
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				won[said]++
			case !errors.Is(err, vault.ErrDecided):
				t.Error(err)
			}
		})
	}
	deciders.Wait()
	all, err := v.PendingGrants(ctx, vaulttest.Admin)
	if err != nil || len(won) != 1 || won[all[0].Status] != 1 {
		t.Errorf("won %v, it is %+v, %v", won, all, err)
	}
	intact(t, v)
}

// An approver of one namespace decides nothing of another, and does not see it.
func TestDecisionsAreConfined(t *testing.T) {
	ctx := t.Context()
	v := vaulttest.New(t)
	keep(t, v, "", "key", "1")
	keep(t, v, "prod", "key", "2")
	_, err := enrol(t, v, "", "bot").discover("app", "KEY")
	theirs := wantPending(t, err, "KEY")
	_, err = enrol(t, v, "prod", "bot").discover("app", "KEY")
	mine := wantPending(t, err, "KEY")
	by := access.Caller{Kind: access.Admin, Role: access.Approver, Name: "ann", Namespaces: []string{"prod"}}
	all, err := v.PendingGrants(ctx, by)
	if err != nil || len(all) != 1 || all[0].ID != mine.GrantID {
		t.Errorf("sees %+v, %v", all, err)
	}
	_, err = v.ApproveGrant(ctx, by, theirs.GrantID, vault.Approval{})
	want(t, err, vault.ErrNotFound)
	want(t, v.DenyGrant(ctx, by, theirs.GrantID), vault.ErrNotFound)
	want(t, v.DeleteGrant(ctx, by, theirs.GrantID), vault.ErrDenied)
	_, _, err = v.Freeze(ctx, by, vault.FreezeTarget{Kind: vault.FreezeNamespace, Name: "default"}, nil)
	want(t, err, vault.ErrNotFound)
	if _, err := v.ApproveGrant(ctx, by, mine.GrantID, vault.Approval{}); err != nil {
		t.Error(err)
	}
	if _, _, err := v.Freeze(ctx, by, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "bot", Namespace: "prod"}, nil); err != nil {
		t.Error(err)
	}
	frozen, err := v.Freezes(ctx, by)
	if err != nil || len(frozen) != 1 {
		t.Errorf("%+v, %v", frozen, err)
	}
}
