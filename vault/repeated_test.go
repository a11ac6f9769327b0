package vault

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// guess fails to log in n times from a source.
func guess(t *testing.T, v *Vault, source string, n int) {
	t.Helper()
	for range n {
		if _, err := v.AuthenticateAdmin(t.Context(), opaque.New([]byte("a wrong token")), access.Origin{Source: source}); err == nil {
			t.Fatal("guessed")
		}
	}
}

// alarms returns the sources and texts of the alarms about failures, newest
// first, and how many messages wait for people.
func alarms(t *testing.T, v *Vault) (all []string, messages int) {
	t.Helper()
	if err := v.keepHouse(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, _, err := v.AuditLog(t.Context(), testAdmin, AuditQuery{Action: string(access.RepeatedFailures)})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Status != statusAlarm || r.AgentID != nil || r.Project != nil || r.Resources != nil {
			t.Errorf("%+v", r)
		}
		all = append(all, *r.Caller.SourceIP+" "+*r.Resource)
	}
	edit(t, v.db, func(tx *store.Tx) error {
		waiting, err := gather(outbox.All(tx, ""))
		messages = len(waiting)
		return err
	})
	return all, messages
}

// hearing makes a channel that wants these alarms alone.
func hearing(t *testing.T, v *Vault) {
	t.Helper()
	_, err := v.CreateChannel(t.Context(), testAdmin, NewChannel{
		Name: "ops", Type: "slack", Config: opaque.New([]byte(`{"webhook_url":"https://hooks.example.com/x"}`)), Enabled: true, ChannelFilter: ChannelFilter{Events: []string{string(access.RepeatedFailures)}},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Whoever fails again and again raises one alarm in ten minutes, and whoever
// fails now and then none.
func TestRepeatedFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _, _ := newTestVault(t)
		hearing(t, v)
		guess(t, v, "192.0.2.1", repeatLimit-1)
		if all, _ := alarms(t, v); len(all) != 0 {
			t.Fatalf("%v", all)
		}
		time.Sleep(time.Minute)
		guess(t, v, "192.0.2.1", 3)
		guess(t, v, "192.0.2.2", repeatLimit-1)
		for range 5 {
			all, messages := alarms(t, v)
			if len(all) != 1 || all[0] != "192.0.2.1 admin_login: 52 within 10 minutes" || messages != 1 {
				t.Fatalf("%v, %d messages", all, messages)
			}
			guess(t, v, "192.0.2.1", repeatLimit)
			time.Sleep(time.Minute)
		}
		time.Sleep(repeatWindow)
		guess(t, v, "192.0.2.1", repeatLimit)
		if all, messages := alarms(t, v); len(all) != 2 || messages != 2 {
			t.Errorf("%v, %d messages", all, messages)
		}
	})
}

// However many fail, alarms are bounded, and so is what is remembered.
func TestRepeatedFailuresAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, _, _ := newTestVault(t)
		hearing(t, v)
		for round := range 3 {
			for i := range 600 {
				guess(t, v, fmt.Sprintf("198.51.%d.%d", i/250, i%250), repeatLimit+i%2)
			}
			all, messages := alarms(t, v)
			if len(all) != repeatAlarms+1 || messages > repeatAlarms+2 {
				t.Fatalf("round %d: %d alarms, %d messages: %v", round, len(all), messages, all)
			}
			if n := len(v.failures.repeats.counts); n > failureKinds+1 {
				t.Errorf("%d are remembered", n)
			}
			time.Sleep(time.Minute)
		}
	})
}
