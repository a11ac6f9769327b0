package vault_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

const day = 24 * time.Hour

// expiring makes a secret that ends.
func expiring(t *testing.T, v *vault.Vault, path string, in time.Duration) vault.Secret {
	t.Helper()
	s, err := v.CreateSecret(t.Context(), vaulttest.Admin, vault.NewSecret{
		Path: path, Type: vault.KeyValue, Value: opaque.New([]byte("v")), Expires: time.Now().Add(in),
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// count returns how often an action of a path was recorded.
func count(t *testing.T, v *vault.Vault, action, path string) (n int) {
	t.Helper()
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Action == action && r.Resource != nil && *r.Resource == path {
			n++
		}
	}
	return n
}

// keepHouse lets the vault keep house once. It takes a minute.
func keepHouse(t *testing.T, v *vault.Vault) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 61*time.Second)
	defer stop()
	if err := v.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// decisions writes the resources of a record in one line.
func decisions(r vault.AuditRow) string {
	var all []string
	for _, d := range r.Resources {
		all = append(all, d.Path+"="+d.Decision)
	}
	return strings.Join(all, " ")
}

// A secret is said to expire three times and to have expired once, whenever
// somebody looks, and never twice.
func TestReminders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		expiring(t, v, "late", 40*day)
		expiring(t, v, "soon", 3*day)
		expiring(t, v, "moved", 2*day)
		moved := expiring(t, v, "cleared", 2*day)
		if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, moved.ID, vault.SecretChange{Expires: new(time.Time{})}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			after               time.Duration
			late, soon, expired int
		}{
			{time.Hour, 0, 0, 0}, // what ends in three days was set by somebody who knows
			{2 * day, 0, 1, 0},
			{9 * day, 1, 1, 1},
			{23 * day, 2, 1, 1}, // day 34
			{5*day + 2*time.Hour, 3, 1, 1},
			{2 * day, 3, 1, 1},
			{10 * day, 3, 1, 1},
		} {
			time.Sleep(c.after)
			keepHouse(t, v)
			keepHouse(t, v)
			got := [3]int{count(t, v, "secret_expiring", "late"), count(t, v, "secret_expiring", "soon"), count(t, v, "secret_expired", "soon")}
			if got != [3]int{c.late, c.soon, c.expired} {
				t.Errorf("%v: %v, want %v", c.after, got, c)
			}
		}
		if n := count(t, v, "secret_expired", "late"); n != 1 {
			t.Errorf("expired %d times", n)
		}
		if n := count(t, v, "secret_expiring", "cleared") + count(t, v, "secret_expired", "cleared"); n != 0 {
			t.Errorf("a secret without an end was recorded %d times", n)
		}
		intact(t, v)
	})
}

// After a month without housekeeping the last of the reminders is said, and no
// other.
func TestRemindersThatWereMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		expiring(t, v, "key", 40*day)
		time.Sleep(39*day + time.Hour)
		keepHouse(t, v)
		if n := count(t, v, "secret_expiring", "key"); n != 1 {
			t.Errorf("said %d times", n)
		}
	})
}

func TestExpiredIsWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := vaulttest.New(t)
		s := expiring(t, v, "key", 2*time.Hour)
		keep(t, v, "", "other", "o")
		h := enrol(t, v, "", "bot")
		token := h.approved("app", "KEY", "OTHER").Token.Reveal()
		if got, err := h.fetch("app", token); err != nil || got["KEY"] != "v" {
			t.Fatalf("got %v, %v", got, err)
		}
		time.Sleep(2 * time.Hour)
		res, err := h.fetchResult("app", token)
		if err != nil || len(res.Withheld) != 1 || res.Withheld[0] != "KEY" || len(res.Values) != 1 {
			t.Fatalf("got %+v, %v", res, err)
		}
		rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 1})
		if err != nil || !strings.Contains(decisions(rows[0]), "key=withheld:expired") {
			t.Errorf("recorded %v, %v", rows, err)
		}
		all, err := v.Secrets(t.Context(), vaulttest.Admin, vault.SecretFilter{})
		if err != nil || !all[0].Expired(time.Now()) || all[1].Expired(time.Now()) {
			t.Errorf("listed %+v, %v", all, err)
		}
		// It can be read and prolonged by an administrator.
		if _, err := v.UpdateSecret(t.Context(), vaulttest.Admin, s.ID, vault.SecretChange{Expires: new(time.Now().Add(time.Hour))}); err != nil {
			t.Fatal(err)
		}
		if got, err := h.fetch("app", token); err != nil || got["KEY"] != "v" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestExpiryRefuses(t *testing.T) {
	ctx, v, admin := t.Context(), vaulttest.New(t), vaulttest.Admin
	s := expiring(t, v, "key", day)
	for name, at := range map[string]time.Time{"past": time.Now().Add(-time.Second), "too far": time.Now().Add(200 * 365 * day), "beyond the file": time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
		_, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Expires: &at})
		wantInvalid(t, err, "expires_at")
		_, err = v.CreateSecret(ctx, admin, vault.NewSecret{Path: "x", Type: vault.KeyValue, Expires: at})
		wantInvalid(t, err, "expires_at")
		if t.Failed() {
			t.Fatal(name)
		}
	}
	// A trap stays open.
	_, err := v.UpdateSecret(ctx, admin, s.ID, vault.SecretChange{Honey: new(true)})
	wantInvalid(t, err, "is_honey_token")
	_, err = v.CreateSecret(ctx, admin, vault.NewSecret{Path: "x", Type: vault.KeyValue, Honey: true, Expires: time.Now().Add(day)})
	wantInvalid(t, err, "expires_at")
}
