package vault

import (
	"cmp"
	"context"
	"fmt"
	"iter"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/audit"
)

// replayAtOnce is how many records are verified in one transaction. The pages
// that others free meanwhile cannot be used again before it ends.
const replayAtOnce = 10_000

// A replay verifies the trail once, from its beginning to its head.
type replay struct {
	// view runs a transaction for reading.
	view func(context.Context, func(*store.Tx) error) error
	// keys are the chain's, nil to check hashes only.
	keys map[string]audit.MACKey
	// pin is a record that must be there; nil for none.
	pin *audit.Pin
	// atOnce is how many records one transaction reads. If zero, replayAtOnce.
	atOnce uint64
}

// run verifies until the end, which may move meanwhile. A pinned record that is
// too old is an [audit.ErrLost].
func (r replay) run(ctx context.Context) (report audit.Report, err error) {
	v := r.verifier()
	for done := false; !done && err == nil; {
		err = r.view(ctx, func(tx *store.Tx) (err error) {
			overtaken, err := pruned(tx, v)
			if err != nil {
				return err
			}
			if overtaken {
				v = r.verifier()
			}
			report, done, err = verifySome(tx, v, cmp.Or(r.atOnce, replayAtOnce))
			return err
		})
	}
	if err != nil {
		return report, fmt.Errorf("reading the audit trail: %w", err)
	}
	return report, r.pin.Tied(report)
}

func (r replay) verifier() *audit.Verifier {
	v := audit.NewVerifier(r.keys)
	if r.pin != nil {
		v.Pin(*r.pin)
	}
	return v
}

// pruned reports whether the records that v is to look at next were pruned since
// it looked at those before, so that it has to begin again.
func pruned(tx *store.Tx, v *audit.Verifier) (bool, error) {
	for first, err := range entries.All(tx, 0) {
		return v.Next() > 1 && first.Seq > v.Next(), err
	}
	return false, nil
}

// verifySome verifies the next records, at most so many, and where they are the
// last ones, the head.
func verifySome(tx *store.Tx, v *audit.Verifier, atOnce uint64) (report audit.Report, done bool, err error) {
	from := v.Next()
	if err := v.Read(records(some(entries.All(tx, from), atOnce))); err != nil {
		return report, false, err
	}
	if v.Next()-from >= atOnce {
		return report, false, nil
	}
	head, err := storedHead(tx)
	if err != nil {
		return report, false, err
	}
	if report = v.Finish(head); report.Broken != nil {
		return report, true, nil
	}
	meta, err := metas.Get(tx, metaKey)
	if err == nil && head.VaultID != meta.VaultID {
		report.Broken = &audit.Break{Seq: head.Seq, Why: "the head is of another vault"}
	}
	return report, true, err
}

// storedHead returns the head as it is in the file; nil if there is none that
// makes sense.
func storedHead(tx *store.Tx) (*audit.Head, error) {
	row, err := heads.Get(tx, headKey)
	if isNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, err := audit.ParseHead(row.Head)
	if err != nil {
		return nil, nil
	}
	return &head, nil
}

// some yields the first n rows.
func some[R any](rows iter.Seq2[R, error], n uint64) iter.Seq2[R, error] {
	return func(yield func(R, error) bool) {
		for r, err := range rows {
			if n--; !yield(r, err) || n == 0 {
				return
			}
		}
	}
}

// records parses what the log holds.
func records(rows iter.Seq2[store.Record, error]) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for row, err := range rows {
			var r audit.Record
			if err == nil {
				r, err = audit.ParseRecord(row.Value)
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// verifyUnsealed verifies the trail with the keys there are. Nobody who seals the
// vault waits for its end.
func (v *Vault) verifyUnsealed(ctx context.Context, pin *audit.Pin) (audit.Report, error) {
	keys := map[string]audit.MACKey{}
	view := func(ctx context.Context, fn func(*store.Tx) error) error { return v.viewTrail(ctx, keys, fn) }
	return replay{view: view, keys: keys, pin: pin}.run(ctx)
}

// chain returns the keys of the trail by their ids.
func (k *keys) chain() map[string]audit.MACKey { return map[string]audit.MACKey{k.audit.kid: k.audit} }

// openForAudit opens the keys that it takes to verify the trail, once the KEK is
// known to be the vault's.
func (k *keys) openForAudit(tx *store.Tx) error {
	if err := k.checkSentinel(tx); err != nil {
		return err
	}
	if err := k.openKey(tx, useNote); err != nil && !isNotFound(err) {
		return err
	}
	return k.openKey(tx, useAudit)
}
