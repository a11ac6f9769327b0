package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// atOnce is how many records the tests here verify in one transaction.
const atOnce = 20

// lengthen adds n records to the trail in one transaction.
func lengthen(t *testing.T, v *Vault, n int) {
	t.Helper()
	edit(t, v.db, func(tx *store.Tx) error {
		o := v.newOp(tx, v.keys, access.TheSystem(), record{action: access.Start})
		o.also = slices.Repeat([]record{{action: access.Stop}}, n-1)
		return o.write()
	})
}

// prune removes the records up to seq, and records it before that.
func prune(t *testing.T, v *Vault, seq uint64) {
	t.Helper()
	edit(t, v.db, func(tx *store.Tx) error {
		value, err := entries.Get(tx, seq)
		if err != nil {
			return err
		}
		last, err := audit.ParseRecord(value)
		if err != nil {
			return err
		}
		o := v.newOp(tx, v.keys, access.TheSystem(), record{
			action: audit.ActionPrune, resource: audit.Boundary{Seq: seq, RowHash: last.RowHash}.String(),
		})
		if err := o.write(); err != nil {
			return err
		}
		_, err = entries.DeleteThrough(tx, seq, int(seq))
		return err
	})
}

// A long trail is verified in several transactions, between which it may grow
// and be pruned.
func TestReplayInPieces(t *testing.T) {
	for name, between := range map[string]func(*testing.T, *Vault, int){
		"nothing":  func(*testing.T, *Vault, int) {},
		"it grows": func(t *testing.T, v *Vault, _ int) { lengthen(t, v, 5) },
		"it is pruned before what was read": func(t *testing.T, v *Vault, n int) {
			if n == 1 {
				prune(t, v, 7)
			}
		},
		"it is pruned beyond": func(t *testing.T, v *Vault, n int) {
			if n == 1 {
				prune(t, v, atOnce+5)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			v, db, _ := newTestVault(t)
			lengthen(t, v, 2*atOnce)
			times := 0
			r := replay{atOnce: atOnce, keys: v.keys.chain(), view: func(ctx context.Context, fn func(*store.Tx) error) error {
				if times > 0 {
					between(t, v, times)
				}
				times++
				return db.View(ctx, fn)
			}}
			report, err := r.run(t.Context())
			if err != nil || report.Broken != nil || report.Last-report.First+1 != report.Rows || times < 2 {
				t.Errorf("%+v, %v, %v; %d transactions", report, report.Broken, err, times)
			}
		})
	}
}

// A head whose record was pruned proves nothing, unless its record was the last
// that was.
func TestHeadOfPrunedRecord(t *testing.T) {
	v, db, _ := newTestVault(t)
	signed := func() *Since {
		h, err := v.SignedHead(t.Context(), testAdmin)
		if err != nil {
			t.Fatal(err)
		}
		return &Since{Note: h.Note, Key: &h.Key}
	}
	old := signed()
	lengthen(t, v, 5)
	last := signed()
	lengthen(t, v, 5)
	prune(t, v, last.Note.Seq)
	if report, err := v.VerifyAuditFor(t.Context(), testAdmin, last); err != nil || report.Broken != nil || report.First != last.Note.Seq+1 {
		t.Errorf("the last that was pruned: %+v, %v", report, err)
	}
	_, err := v.VerifyAuditFor(t.Context(), testAdmin, old)
	if e, ok := errors.AsType[*InvalidError](err); !ok || e.Field != "since_head" {
		t.Errorf("an older one: %v", err)
	}
	sealed := New(Config{DB: db, Params: testParams})
	if _, err := sealed.VerifyAuditWith(t.Context(), testPassword(), old); !errors.Is(err, audit.ErrLost) {
		t.Errorf("an older one: %v", err)
	}
	if _, err := sealed.VerifyAuditUnkeyed(t.Context(), old); !errors.Is(err, audit.ErrLost) {
		t.Errorf("an older one: %v", err)
	}
}

// What is cut out of the beginning without a record is no pruning.
func TestCutBeginning(t *testing.T) {
	v, db, _ := newTestVault(t)
	lengthen(t, v, 2*atOnce)
	prune(t, v, atOnce+5)
	if report, err := v.VerifyAudit(t.Context()); err != nil || report.Broken != nil || report.First != atOnce+6 {
		t.Errorf("pruned: %+v, %v", report, err)
	}
	edit(t, db, func(tx *store.Tx) error { _, err := entries.DeleteThrough(tx, atOnce+9, 1<<30); return err })
	if report, err := v.VerifyAudit(t.Context()); err != nil || report.Broken == nil || report.Broken.Seq != atOnce+6 {
		t.Errorf("%+v, %v", report.Broken, err)
	}
}

// A break is found in whatever transaction it lies.
func TestReplayFindsBreaksAnywhere(t *testing.T) {
	for _, at := range []uint64{1, atOnce - 1, atOnce, atOnce + 1, atOnce + 2} {
		v, db, _ := newTestVault(t)
		lengthen(t, v, atOnce)
		var all []store.Record
		edit(t, db, func(tx *store.Tx) (err error) { all, err = gather(entries.All(tx, 0)); return err })
		all[at-1].Value[100] ^= 1
		edit(t, db, func(tx *store.Tx) error { _, err := entries.DeleteThrough(tx, 1<<62, 1<<30); return err })
		edit(t, db, func(tx *store.Tx) (err error) {
			for _, r := range all {
				err = errors.Join(err, entries.Append(tx, r.Seq, r.Value))
			}
			return err
		})
		report, err := replay{atOnce: atOnce, keys: v.keys.chain(), view: db.View}.run(t.Context())
		if err != nil || report.Broken == nil || report.Broken.Seq != at {
			t.Errorf("record %d: %+v, %v", at, report.Broken, err)
		}
	}
}

// One at a time.
func TestVerifyOneAtATime(t *testing.T) {
	v, _, _ := newTestVault(t)
	v.verifying.Lock()
	if _, err := v.VerifyAuditFor(t.Context(), testAdmin, nil); !errors.Is(err, ErrTooMany) {
		t.Errorf("a second one: %v", err)
	}
	v.verifying.Unlock()
	if _, err := v.VerifyAuditFor(t.Context(), testAdmin, nil); err != nil {
		t.Error(err)
	}
}

// Sealing does not wait for a verification, which goes on if the vault is
// unsealed again, and not before.
func TestSealedWhileVerifying(t *testing.T) {
	v, _, _ := newTestVault(t)
	lengthen(t, v, 2*atOnce)
	keys := v.keys.chain()
	meanwhile := []func(context.Context) error{
		func(context.Context) error { return nil },
		func(ctx context.Context) error {
			return errors.Join(v.Seal(ctx, testAdmin), v.Unseal(ctx, testPassword()))
		},
		func(ctx context.Context) error { return v.Seal(ctx, testAdmin) },
	}
	r := replay{atOnce: atOnce, keys: keys, view: func(ctx context.Context, fn func(*store.Tx) error) error {
		if err := meanwhile[0](ctx); err != nil {
			t.Fatal(err)
		}
		meanwhile = meanwhile[1:]
		return v.viewTrail(ctx, keys, fn)
	}}
	if _, err := r.run(t.Context()); !errors.Is(err, ErrSealed) || len(meanwhile) != 0 {
		t.Errorf("%v, %d pieces left", err, len(meanwhile))
	}
}

// No head is signed where the trail does not end as its head says.
func TestBrokenTrailIsNotSigned(t *testing.T) {
	v, db, _ := newTestVault(t)
	var log bytes.Buffer
	v.cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	var end uint64
	edit(t, db, func(tx *store.Tx) (err error) {
		end, _, _, err = entries.Last(tx)
		return errors.Join(err, entries.Append(tx, end+1, []byte("forged")))
	})
	if h, err := v.SignedHead(t.Context(), testAdmin); !errors.Is(err, ErrAuditBroken) || h.Note.Signatures != nil {
		t.Errorf("%s, %v", h.Note, err)
	}
	v.logHead(t.Context())
	if !strings.Contains(log.String(), "was not signed") || strings.Contains(log.String(), "note=") {
		t.Errorf("logged %s", &log)
	}
}

// A vault from before heads were signed gets its key once, on the record.
func TestOlderVaultGetsANoteKey(t *testing.T) {
	v, db, _ := newTestVault(t)
	edit(t, db, func(tx *store.Tx) error { return sealedKeys.Delete(tx, useNote) })
	if err := v.Close(); err != nil {
		t.Fatal(err)
	}
	if report, err := v.VerifyAuditWith(t.Context(), testPassword(), nil); err != nil || report.Broken != nil {
		t.Errorf("verifying before that: %+v, %v", report, err)
	}
	made := map[string]bool{}
	for range 2 {
		v = New(Config{DB: db, Params: testParams})
		if err := v.Unseal(t.Context(), testPassword()); err != nil {
			t.Fatal(err)
		}
		h, err := v.SignedHead(t.Context(), testAdmin)
		if err != nil {
			t.Fatal(err)
		}
		made[h.Key.String()] = true
		rows, _, err := v.AuditLog(t.Context(), testAdmin, AuditQuery{})
		if err != nil {
			t.Fatal(err)
		}
		said := 0
		for _, r := range rows {
			if r.Action == string(access.MakeNoteKey) && *r.Resource == h.Key.String() {
				said++
			}
		}
		if said != 1 {
			t.Errorf("it is on the record %d times", said)
		}
		if err := v.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(made) != 1 {
		t.Errorf("%d keys: %s", len(made), fmt.Sprint(made))
	}
}
