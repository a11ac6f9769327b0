package vault

import (
	"context"
	"fmt"
	"iter"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// VerifyAudit replays the trail with its key.
func (v *Vault) VerifyAudit(ctx context.Context) (audit.Report, error) {
	k, release, err := v.use()
	if err != nil {
		return audit.Report{}, err
	}
	defer release()
	return verify(ctx, v.db, map[string]audit.MACKey{k.audit.kid: k.audit})
}

// VerifyAuditUnkeyed replays the trail of a vault that need not be unsealed,
// by its hashes alone: that shows accidents, but not whoever recomputes them.
func (v *Vault) VerifyAuditUnkeyed(ctx context.Context) (audit.Report, error) {
	return verify(ctx, v.db, nil)
}

// VerifyAuditWith replays the trail of a sealed vault with the key that
// password opens, and leaves the vault sealed. It works on a trail that is too
// broken to unseal. Errors are those of [Vault.Unseal].
func (v *Vault) VerifyAuditWith(ctx context.Context, password opaque.Bytes) (audit.Report, error) {
	vaultID, _, kek, err := v.openSlot(ctx, password)
	if err != nil {
		return audit.Report{}, err
	}
	k := &keys{vaultID: vaultID, kek: kek}
	defer k.destroy()
	err = v.db.View(ctx, func(tx *store.Tx) error {
		if err := k.checkSentinel(tx); err != nil {
			return err
		}
		return k.openKey(tx, useAudit)
	})
	if err != nil {
		return audit.Report{}, err
	}
	return verify(ctx, v.db, map[string]audit.MACKey{k.audit.kid: k.audit})
}

func verify(ctx context.Context, db *store.DB, keys map[string]audit.MACKey) (report audit.Report, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		var head *audit.Head
		row, err := heads.Get(tx, headKey)
		switch {
		case err == nil:
			if h, err := audit.ParseHead(row.Head); err == nil {
				head = &h
			}
		case !isNotFound(err):
			return err
		}
		if report, err = audit.Verify(records(entries.All(tx, 0)), head, keys); err != nil || report.Broken != nil {
			return err
		}
		meta, err := metas.Get(tx, metaKey)
		if err == nil && head.VaultID != meta.VaultID {
			report.Broken = &audit.Break{Seq: head.Seq, Why: "the head is of another vault"}
		}
		return err
	})
	if err != nil {
		return report, fmt.Errorf("reading the audit trail: %w", err)
	}
	return report, nil
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
