package vault_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// setOffline sets for how long a project's values may be used.
func setOffline(t *testing.T, v *vault.Vault, project string, ttl time.Duration) error {
	t.Helper()
	_, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", project, vault.ProjectChange{OfflineTTL: &ttl})
	return err
}

// newest returns the newest entry of the trail.
func newest(t *testing.T, v *vault.Vault) vault.AuditRow {
	t.Helper()
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	return rows[0]
}

// What a fetch may be used for stands in its record and in its answer, and nothing
// of it where nobody said so.
func TestOfflineTTL(t *testing.T) {
	v, h, s, bearer := ready(t)
	res, err := h.fetchResult("app", bearer)
	want(t, err, nil)
	if res.Offline != nil || len(newest(t, v).Resources) != 1 {
		t.Errorf("without the setting: %+v, %+v", res.Offline, newest(t, v).Resources)
	}
	for _, bad := range []time.Duration{-time.Second, 7*24*time.Hour + time.Second} {
		wantInvalid(t, setOffline(t, v, "app", bad), "offline_ttl_seconds")
	}
	want(t, setOffline(t, v, "app", 7*24*time.Hour), nil)
	want(t, setOffline(t, v, "app", time.Hour), nil)
	if got := newest(t, v).Resources; !slices.Contains(got, audit.Resource{Path: "offline_ttl", Decision: "1h0m0s"}) {
		t.Errorf("recorded %+v", got)
	}
	if got, _ := v.ProjectSettings(t.Context(), vaulttest.Admin, "", "app"); got.OfflineTTL != time.Hour {
		t.Errorf("%+v", got)
	}
	res, err = h.fetchResult("app", bearer)
	want(t, err, nil)
	if res.Offline == nil || res.Offline.TTL != time.Hour {
		t.Fatalf("%+v", res.Offline)
	}
	r, err := journal.ParseReceipt(res.Offline.Receipt)
	want(t, err, nil)
	row := newest(t, v)
	until := audit.Resource{Path: "usable_until", Decision: row.Time.Add(time.Hour).UTC().Format(time.RFC3339)}
	if row.Action != string(access.GetSecrets) || len(row.Resources) != 2 || row.Resources[1] != until {
		t.Errorf("recorded %+v", row)
	}
	if r.Agent != h.agent.ID || r.Session != h.session || r.Project != "app" || r.Namespace != "default" ||
		r.Fetched != row.Time.UnixNano() || r.Until-r.Fetched != int64(time.Hour) || proof.EncodeKey(r.Key) != vaulttest.Public(h.daemon) {
		t.Errorf("receipt %+v", r)
	}
	if err := v.DeleteSecret(t.Context(), vaulttest.Admin, s.ID); err != nil {
		t.Fatal(err)
	}
	if res, err = h.fetchResult("app", bearer); err != nil || res.Offline != nil || strings.Contains(newest(t, v).Resources[0].Path, "usable") {
		t.Errorf("a fetch of nothing: %+v, %v", res.Offline, err)
	}
	intact(t, v)
}

// Who attests nothing gets no receipt: no key would sign what becomes of it.
func TestOfflineNeedsAttestation(t *testing.T) {
	v := vaulttest.On(t, storeFor(t), vault.Config{})
	keep(t, v, "", "key", "value")
	h := enrol(t, v, "", "bot")
	bearer := h.approved("app", "KEY").Token.Reveal()
	want(t, setOffline(t, v, "app", time.Hour), nil)
	res, err := v.FetchSecrets(t.Context(), vaulttest.Origin, vault.FetchRequest{Project: "app", Bearer: opaque.New(bearer)})
	if err != nil || len(res.Values) != 1 || res.Offline != nil {
		t.Errorf("%+v, %v", res, err)
	}
}

// Whoever holds values by the settings as they were hears that they changed.
func TestSettingsAreTold(t *testing.T) {
	v, h, _, _ := ready(t)
	other := enrol(t, v, "", "other")
	mine, theirs := h.watch(), other.watch()
	for _, c := range []vault.ProjectChange{{OfflineTTL: new(time.Hour)}, {Masking: new(vault.MaskOptional)}, {OnFreeze: new(vault.FreezeEnds)}, {TokenTTL: new(time.Hour)}} {
		if _, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", "app", c); err != nil {
			t.Fatal(err)
		}
		if got := heard(t, mine); len(got) != 1 || got[0].Kind != vault.EventResync {
			t.Errorf("after %+v heard %+v", c, got)
		}
	}
	if _, err := v.UpdateProject(t.Context(), vaulttest.Admin, "", "app", vault.ProjectChange{}); err != nil {
		t.Fatal(err)
	}
	for what, w := range map[string]*vault.Watch{"of no change": mine, "by another agent": theirs} {
		select {
		case <-w.Ready():
			t.Errorf("something was heard %s", what)
		default:
		}
	}
}
