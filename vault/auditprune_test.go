package vault

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/store/storetest"
	"github.com/cortex-auth/cortex/vault/audit"
)

// aging calls fn in a bubble, with a vault that keeps its trail for 60 days, and
// made three records on each of the days so far.
func aging(t *testing.T, days int, fn func(t *testing.T, v *Vault, db *store.DB)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		db := storetest.New(t)
		v := New(Config{DB: db, Params: testParams, AuditRetention: 60 * day})
		if err := v.Init(t.Context(), testPassword()); err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		for range days {
			crowd(t, v, 3)
			time.Sleep(day)
		}
		fn(t, v, db)
	})
}

// trail returns what is there, which must verify.
func trail(t *testing.T, v *Vault) (all []audit.Entry) {
	t.Helper()
	report, err := v.VerifyAudit(t.Context())
	if err != nil || report.Broken != nil || !report.Keyed {
		t.Fatalf("%+v, %v", report, err)
	}
	edit(t, v.db, func(tx *store.Tx) error {
		all = nil
		for r, err := range records(entries.All(tx, 0)) {
			if err != nil {
				return err
			}
			e, err := r.Entry()
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	})
	return all
}

func keep(t *testing.T, v *Vault) {
	t.Helper()
	if err := v.keepHouse(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Day by day, what is older than 60 days goes, and nothing else.
func TestPruneAudit(t *testing.T) {
	aging(t, 55, func(t *testing.T, v *Vault, db *store.DB) {
		for i := range 30 {
			keep(t, v)
			all := trail(t, v)
			oldest := time.Since(all[0].Time)
			if oldest > 60*day {
				t.Fatalf("day %d: the first record is %v old", 55+i, oldest)
			}
			if i > 10 && oldest < 58*day {
				t.Fatalf("day %d: the first record is only %v old", 55+i, oldest)
			}
			crowd(t, v, 3)
			time.Sleep(day)
		}
		rows, _, err := v.AuditLog(t.Context(), testAdmin, AuditQuery{Action: audit.ActionPrune})
		if err != nil || len(rows) < 20 {
			t.Fatalf("%d prunings are recorded, %v", len(rows), err)
		}
		b, err := audit.ParseBoundary(*rows[0].Resource)
		if first := trail(t, v)[0]; err != nil || b.Seq != first.Seq-1 || rows[0].Actor.Kind != "system" {
			t.Errorf("%+v, %v, and the first is %d", b, err, first.Seq)
		}
	})
}

// How long records are kept may change while they are.
func TestRetentionChanges(t *testing.T) {
	aging(t, 20, func(t *testing.T, v *Vault, db *store.DB) {
		oldest := func() int {
			keep(t, v)
			age := time.Since(trail(t, v)[0].Time)
			time.Sleep(day)
			return int(age / day)
		}
		if got := oldest(); got != 20 {
			t.Fatalf("the first record is %d days old", got)
		}
		v.KeepAudit(10 * day)
		for range 10 {
			oldest()
		}
		if got := oldest(); got > 11 {
			t.Errorf("the first record is %d days old", got)
		}
	})
}

// A clock that steps ahead makes every record old. No more goes in a day than
// two days' records, however often somebody looks, and starts the server.
func TestPruneAfterClockStep(t *testing.T) {
	aging(t, 10, func(t *testing.T, v *Vault, db *store.DB) {
		before := trail(t, v)
		time.Sleep(365 * day)
		for hour := range 24 {
			keep(t, v)
			if hour == 12 { // a restart remembers
				if err := v.Close(); err != nil {
					t.Fatal(err)
				}
				v = New(v.cfg)
				if err := v.Unseal(t.Context(), testPassword()); err != nil {
					t.Fatal(err)
				}
				defer v.Close()
			}
			time.Sleep(time.Hour - time.Second)
		}
		left := trail(t, v)
		if gap := left[0].Time.Sub(before[0].Time); gap < 2*day || gap > 3*day {
			t.Fatalf("records of %v are gone", gap)
		}
		time.Sleep(time.Minute)
		keep(t, v)
		if gap := trail(t, v)[0].Time.Sub(before[0].Time); gap < 4*day || gap > 5*day {
			t.Errorf("a day later records of %v are gone", gap)
		}
	})
}

// After the clock was set back a day has to go by before anything goes.
func TestPruneAfterClockSetBack(t *testing.T) {
	aging(t, 70, func(t *testing.T, v *Vault, db *store.DB) {
		edit(t, db, func(tx *store.Tx) error {
			return prunings.Put(tx, pruningRow{Begun: time.Now().Add(1000 * day).UnixNano()})
		})
		n := len(trail(t, v))
		keep(t, v)
		time.Sleep(day - time.Minute)
		keep(t, v)
		if got := len(trail(t, v)); got != n {
			t.Errorf("%d records of %d", got, n)
		}
		time.Sleep(time.Minute)
		keep(t, v)
		if got := len(trail(t, v)); got >= n {
			t.Errorf("%d records of %d", got, n)
		}
	})
}

// Pruning that is cut off goes on where it was, and the trail verifies at any
// moment; while it is exported, nothing goes.
func TestPruneInPieces(t *testing.T) {
	aging(t, 70, func(t *testing.T, v *Vault, db *store.DB) {
		x, err := v.ExportAudit(t.Context(), testAdmin, time.Time{}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		n := len(trail(t, v))
		keep(t, v)
		if got := len(trail(t, v)); got != n {
			t.Errorf("%d records of %d while there is an export", got, n)
		}
		x.Close()
		if err := v.beginPruning(t.Context()); err != nil {
			t.Fatal(err)
		}
		for gone := 0; ; gone++ {
			all := trail(t, v)
			var deleted int
			if _, err := v.purgeSome(t.Context(), func(o *op, _ int) (n int, err error) {
				deleted, err = o.dropOld(1)
				return 0, err
			}); err != nil {
				t.Fatal(err)
			}
			if deleted == 0 {
				if gone < 6 || all[0].Seq != uint64(gone)+1 {
					t.Errorf("%d are gone, %d is the first", gone, all[0].Seq)
				}
				break
			}
		}
		text, x2, rows, err := export(t, v, time.Time{}, time.Time{})
		if err != nil || rows[0].Seq == 1 || x2.Header.After.Seq != rows[0].Seq-1 || !bytes.Contains(text, []byte(audit.ActionPrune)) {
			t.Errorf("%+v, %v", x2.Header, err)
		}
	})
}

// A trail that is broken is evidence.
func TestPruneKeepsBrokenTrail(t *testing.T) {
	aging(t, 70, func(t *testing.T, v *Vault, db *store.DB) {
		var all []store.Record
		edit(t, db, func(tx *store.Tx) (err error) { all, err = gather(entries.All(tx, 0)); return err })
		all[3].Value[30] ^= 1
		edit(t, db, func(tx *store.Tx) error {
			_, err := entries.DeleteThrough(tx, 1<<62, 1<<20)
			return err
		})
		edit(t, db, func(tx *store.Tx) error {
			for _, r := range all {
				if err := entries.Append(tx, r.Seq, r.Value); err != nil {
					return err
				}
			}
			return nil
		})
		if err := v.pruneAudit(t.Context()); err == nil || !strings.Contains(err.Error(), "BROKEN at record 4") {
			t.Errorf("got %v", err)
		}
		if report, err := v.VerifyAudit(t.Context()); err != nil || report.Broken == nil || report.First != 1 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// Without a retention nothing goes.
func TestNoRetention(t *testing.T) {
	aging(t, 1, func(t *testing.T, v *Vault, db *store.DB) {
		v.KeepAudit(0)
		time.Sleep(1000 * day)
		keep(t, v)
		if all := trail(t, v); all[0].Seq != 1 {
			t.Error("pruned")
		}
		if _, err := v.pruningDue(t.Context()); err != nil || errors.Is(err, ErrSealed) {
			t.Error(err)
		}
	})
}
