package vault_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/vault"
	"github.com/cortex-auth/cortex/vault/journal"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/vaulttest"
)

// away is a host whose daemon writes a journal.
type away struct {
	*host
	receipt string
	chain   journal.Chain
}

// readyAway returns a host that may use what it has fetched for an hour.
func readyAway(t *testing.T) (*vault.Vault, *away, []byte) {
	t.Helper()
	v, h, _, bearer := ready(t)
	if err := setOffline(t, v, "app", time.Hour); err != nil {
		t.Fatal(err)
	}
	w := &away{host: h}
	w.refetch(bearer)
	return v, w, bearer
}

// refetch fetches again, and keeps the receipt.
func (w *away) refetch(bearer []byte) {
	w.t.Helper()
	res, err := w.fetchResult("app", bearer)
	if err != nil || res.Offline == nil {
		w.t.Fatal(res.Offline, err)
	}
	w.receipt = res.Offline.Receipt
}

// use returns the line of a use now, which is that long after the true time.
func (w *away) use(late time.Duration, names ...string) string {
	w.t.Helper()
	e, ok := w.chain.Next(time.Now().Add(late).Unix(), w.receipt, names)
	if !ok {
		w.t.Fatal("no such entry")
	}
	e.Signature = ed25519.Sign(w.daemon, e.Message())
	w.chain = journal.After(e)
	return e.Line()
}

// deliver brings lines as the server would.
func (h *host) deliver(lines ...string) (int, error) {
	att := h.sign("POST", "/daemon/journal", strings.Join(lines, "\n"), proof.AgentTokenID(h.agent.AgentID))
	a, err := h.v.CheckJournal(h.t.Context(), vaulttest.Origin, att)
	if err != nil {
		return 0, err
	}
	return h.v.KeepJournal(h.t.Context(), vaulttest.Origin, a, lines)
}

// said returns the resources of the newest entry.
func said(t *testing.T, v *vault.Vault) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, r := range newest(t, v).Resources {
		all[r.Path] = r.Decision
	}
	return all
}

// What happened while the vault was away is recorded, once, however often it is told.
func TestJournal(t *testing.T) {
	v, w, bearer := readyAway(t)
	first, second := w.use(-time.Minute, "KEY"), w.use(0)
	if n, err := w.deliver(first, second); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := actions(t, v, 3); !slices.Equal(got, []string{"offline_use success", "offline_use success", "get_secrets success"}) {
		t.Errorf("recorded %q", got)
	}
	d := said(t, v)
	if d["entry"] != "2" || d["session"] != w.session || d["usable_until"] == "" || d["fetched"] == "" || d["claimed_at"] == "" || d["KEY"] != "" {
		t.Errorf("recorded %v", d)
	}
	row := newest(t, v)
	if *row.AgentID != "bot" || *row.Project != "app" || row.Actor.Auth != "attestation" || row.Actor.ID != w.agent.ID {
		t.Errorf("recorded %+v", row)
	}
	for _, again := range [][]string{{first, second}, {second}, {first}, nil} {
		if n, err := w.deliver(again...); n != 0 || err != nil {
			t.Errorf("%d lines again: %d, %v", len(again), n, err)
		}
	}
	if got := actions(t, v, 3); got[2] != "get_secrets success" {
		t.Errorf("what came twice was recorded twice: %q", got)
	}
	w.refetch(bearer)
	if n, err := w.deliver(second, w.use(0, "KEY")); n != 1 || err != nil || said(t, v)["KEY"] != "used" || said(t, v)["entry"] != "3" {
		t.Errorf("%d, %v, %v", n, err, said(t, v))
	}
	intact(t, v)
}

// Nothing of a journal that is not good is recorded but that.
func TestJournalRefused(t *testing.T) {
	v, w, bearer := readyAway(t)
	other := &away{host: enrol(t, v, "", "other")}
	elsewhere, foreign, _ := readyAway(t)
	first := w.use(0, "KEY")
	if _, err := w.deliver(first); err != nil {
		t.Fatal(err)
	}
	base := w.chain
	at := func(c journal.Chain, receipt string, key ed25519.PrivateKey, names ...string) string {
		e, ok := c.Next(time.Now().Unix(), receipt, names)
		if !ok {
			t.Fatal("no such entry")
		}
		e.Signature = ed25519.Sign(key, e.Message())
		return e.Line()
	}
	good := w.use(0, "KEY")
	then, last := w.use(0, "KEY", "B"), w.use(0)
	forged := strings.Replace(w.receipt, ",app,", ",apq,", 1)
	blank := w.receipt[:strings.LastIndexByte(w.receipt, ',')+1] + base64.RawURLEncoding.EncodeToString(make([]byte, journal.TagSize))
	for _, row := range []struct {
		what  string
		lines []string
	}{
		{"no entry", []string{"nonsense"}},
		{"a good one and no entry", []string{good, "nonsense"}},
		{"an entry without a signature", []string{good[:strings.LastIndexByte(good, '|')]}},
		{"another's signature", []string{at(base, w.receipt, other.daemon)}},
		{"the agent's own key", []string{at(base, w.receipt, w.key)}},
		{"names changed", []string{strings.Replace(good, "|KEY|", "|KEZ|", 1)}},
		{"a receipt changed", []string{at(base, forged, w.daemon)}},
		{"a receipt without a tag", []string{at(base, blank, w.daemon)}},
		{"a receipt of another vault", []string{at(base, foreign.receipt, foreign.daemon)}},
		{"another entry in the place of one", []string{at(journal.Chain{}, w.receipt, w.daemon, "B")}},
		{"what follows something else", []string{at(journal.Chain{Seq: 1, Hash: strings.Repeat("a", 64)}, w.receipt, w.daemon)}},
		{"one cut out", []string{good, last}},
		{"one twice", []string{good, good}},
		{"out of order", []string{then, good, last}},
	} {
		n, err := w.deliver(row.lines...)
		want(t, err, vault.ErrJournal)
		if got := actions(t, v, 2); n != 0 || got[0] != "offline_journal_rejected alarm" || strings.HasPrefix(got[1], "offline_use") != (row.what == "no entry") {
			t.Errorf("%s: %d, recorded %q", row.what, n, got)
		}
	}
	if _, err := other.deliver(first, good); err == nil {
		t.Error("another agent's journal passes")
	}
	if got := newest(t, v); got.Action != "offline_journal_rejected" || *got.AgentID != "other" {
		t.Errorf("recorded %+v", got)
	}
	_, err := w.deliver(slices.Repeat([]string{good}, vault.MaxJournal+1)...)
	wantInvalid(t, err, "entries")
	// And what was good goes on.
	w.refetch(bearer)
	if n, err := w.deliver(good, then, last); n != 3 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	intact(t, v)
	intact(t, elsewhere)
}

// The request is signed like any other, and good once, where it does something.
func TestJournalRequest(t *testing.T) {
	v, w, _ := readyAway(t)
	line := w.use(0, "KEY")
	ctx := t.Context()
	good := w.sign("POST", "/daemon/journal", line, proof.AgentTokenID("bot"))
	for what, att := range map[string]*proof.Attestation{
		"none":               nil,
		"of another request": w.sign("POST", "/agent/discover", line, proof.AgentTokenID("bot")),
		"of another time":    w.signAt(time.Now().Add(-6 * time.Minute)),
		"of no session":      func() *proof.Attestation { a := *good; a.SessionID = "none"; return &a }(),
	} {
		if _, err := v.CheckJournal(ctx, vaulttest.Origin, att); err == nil {
			t.Errorf("an attestation %s passes", what)
		}
	}
	a, err := v.CheckJournal(ctx, vaulttest.Origin, good)
	want(t, err, nil)
	want(t, v.CheckBody(ctx, vaulttest.Origin, a, []byte("other")), vault.ErrUnauthorized)
	n, err := v.KeepJournal(ctx, vaulttest.Origin, a, []string{line})
	if n != 1 || err != nil {
		t.Fatal(n, err)
	}
	_, err = v.KeepJournal(ctx, vaulttest.Origin, a, []string{w.use(0)})
	want(t, err, vault.ErrReplay)
	stolen := w.sign("POST", "/daemon/journal", line, proof.AgentTokenID("other"))
	a, err = v.CheckJournal(ctx, vaulttest.Origin, stolen)
	want(t, err, nil)
	_, err = v.KeepJournal(ctx, vaulttest.Origin, a, []string{w.use(0)})
	want(t, err, vault.ErrUnauthorized)
}

// signAt is sign for a delivery at some time.
func (h *host) signAt(at time.Time) *proof.Attestation {
	a := h.sign("POST", "/daemon/journal", "", proof.AgentTokenID(h.agent.AgentID))
	a.TS = at.Unix()
	a.Signature = ed25519.Sign(h.daemon, a.Message("POST", "/daemon/journal"))
	return a
}

// A journal is a record of what happened, also where its author may do nothing more.
func TestJournalOfTheFrozen(t *testing.T) {
	v, w, bearer := readyAway(t)
	before := w.use(0, "KEY")
	_, _, err := v.Freeze(t.Context(), vaulttest.Admin, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "bot"}, nil)
	want(t, err, nil)
	if n, err := w.deliver(before); n != 1 || err != nil {
		t.Errorf("while it is frozen: %d, %v", n, err)
	}
	_, err = w.fetch("app", bearer)
	want(t, err, vault.ErrUnauthorized)
	_, err = v.AuthenticateDaemon(t.Context(), vaulttest.Origin, "GET", "/x", w.sign("GET", "/x", "", proof.AgentTokenID("bot")))
	want(t, err, vault.ErrUnauthorized)
	_, err = v.Unfreeze(t.Context(), vaulttest.Admin, vault.FreezeTarget{Kind: vault.FreezeAgent, Name: "bot"})
	want(t, err, nil)
	// A session that has ended, and then a daemon that has another key, which brings
	// what the one before it left.
	want(t, v.RevokeSession(t.Context(), vaulttest.Admin, w.session), nil)
	after := w.use(0)
	if n, err := w.deliver(after); n != 1 || err != nil {
		t.Errorf("of a session that ended: %d, %v", n, err)
	}
	left := w.use(0, "KEY")
	w.host.daemon = vaulttest.NewKey(t)
	w.attest()
	if n, err := w.deliver(left); n != 1 || err != nil {
		t.Errorf("of a process that ended: %d, %v", n, err)
	}
	// The new process has a chain of its own.
	w.refetch(w.approvedAgain(t))
	w.chain = journal.Chain{}
	if n, err := w.deliver(w.use(0, "KEY")); n != 1 || err != nil {
		t.Errorf("of the next process: %d, %v", n, err)
	}
	// Of an agent that is gone there is nothing.
	want(t, v.DeleteAgent(t.Context(), vaulttest.Admin, "", "bot"), nil)
	_, err = w.deliver(w.use(0))
	want(t, err, vault.ErrUnauthorized)
	intact(t, v)
}

// approvedAgain returns a new token.
func (w *away) approvedAgain(t *testing.T) []byte {
	t.Helper()
	res, err := w.rediscover("app", "KEY")
	if err != nil {
		t.Fatal(err)
	}
	return res.Token.Reveal()
}

// Entries that never came are an alarm, and what comes after them is recorded.
func TestJournalGap(t *testing.T) {
	v, w, _ := readyAway(t)
	w.use(0)
	w.use(0)
	if n, err := w.deliver(w.use(0, "KEY")); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := actions(t, v, 2); !slices.Equal(got, []string{"offline_use success", "offline_journal_gap alarm"}) {
		t.Errorf("recorded %q", got)
	}
	rows, _, err := v.AuditLog(t.Context(), vaulttest.Admin, vault.AuditQuery{Limit: 2})
	want(t, err, nil)
	if got := rows[1].Resources[0].Decision; got != "1 to 2 are missing" {
		t.Errorf("recorded %q", got)
	}
}

// The time of a use is the daemon's word, within bounds.
func TestJournalTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, w, _ := readyAway(t)
		for _, row := range []struct {
			wait, late time.Duration
			says       string
		}{
			{0, 0, ""},
			{0, 5 * time.Minute, ""},
			{0, 5*time.Minute + time.Second, ": after the clock of the vault"},
			{0, -5 * time.Minute, ""},
			{0, -5*time.Minute - time.Second, ": before the values were fetched"},
			{30 * time.Minute, 0, ""},
			{35 * time.Minute, 0, ""}, // of these 5 are what the clocks may differ by
			{time.Second, 0, ": after the values ran out"},
			{0, -10 * time.Minute, ""},
		} {
			time.Sleep(row.wait)
			synctest.Wait()
			if n, err := w.deliver(w.use(row.late, "KEY")); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			_, says, _ := strings.Cut(said(t, v)["claimed_at"], "Z")
			status := "success"
			if row.says != "" {
				status = "alarm"
			}
			if says != row.says || newest(t, v).Status != status {
				t.Errorf("%v after %v: %s, %q", row.late, row.wait, newest(t, v).Status, says)
			}
		}
		// What comes so late that it is forgotten what came is refused.
		old := w.use(0, "KEY")
		time.Sleep(91 * 24 * time.Hour)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- v.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		stop()
		want(t, <-ended, nil)
		w.login()
		w.attest()
		_, err := w.deliver(old)
		want(t, err, vault.ErrJournal)
		w.chain = journal.Chain{}
		w.refetch(w.approved("app", "KEY").Token.Reveal())
		if n, err := w.deliver(w.use(0, "KEY")); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if got := actions(t, v, 1); got[0] != "offline_use success" {
			t.Errorf("a journal that was forgotten: %q", got)
		}
	})
}

func BenchmarkKeepJournal(b *testing.B) {
	v := vaulttest.New(b)
	keep(b, v, "", "key", "value")
	h := enrol(b, v, "", "bot")
	bearer := h.approved("app", "KEY").Token.Reveal()
	if _, err := v.UpdateProject(b.Context(), vaulttest.Admin, "", "app", vault.ProjectChange{OfflineTTL: new(time.Hour)}); err != nil {
		b.Fatal(err)
	}
	w := &away{host: h}
	w.refetch(bearer)
	b.ReportAllocs()
	for b.Loop() {
		var lines []string
		for i := range vault.MaxJournal {
			lines = append(lines, w.use(0, "KEY", fmt.Sprint("N", i)))
		}
		if n, err := w.deliver(lines...); n != len(lines) || err != nil {
			b.Fatal(n, err)
		}
	}
}
