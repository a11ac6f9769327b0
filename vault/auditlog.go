package vault

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// maxAuditRows bounds one answer.
const maxAuditRows = 1000

// An AuditQuery says which entries to return.
type AuditQuery struct {
	// Limit is how many, at most 1000. If zero, 1000.
	Limit int
}

// An AuditRow is an entry with what chains it.
type AuditRow struct {
	audit.Entry
	// PrevHash is the hash of the entry before, in hex; empty for the first.
	PrevHash string
	// MAC is the entry's MAC, in hex.
	MAC string
}

// AuditLog returns entries, newest first.
func (v *Vault) AuditLog(ctx context.Context, by access.Caller, q AuditQuery) (all []AuditRow, err error) {
	limit := q.Limit
	if limit <= 0 || limit > maxAuditRows {
		limit = maxAuditRows
	}
	err = v.look(ctx, by, access.ReadAudit, func(o *op) error {
		all = []AuditRow{}
		for r, err := range records(entries.Backward(o.Tx, 0)) {
			if err != nil {
				return err
			}
			row, err := auditRow(r)
			if err != nil {
				return err
			}
			if all = append(all, row); len(all) == limit {
				break
			}
		}
		return nil
	})
	return all, err
}

func auditRow(r audit.Record) (AuditRow, error) {
	e, err := r.Entry()
	if err != nil {
		return AuditRow{}, err
	}
	row := AuditRow{Entry: e, MAC: hex.EncodeToString(r.MAC[:])}
	if e.Seq > 1 {
		row.PrevHash = hex.EncodeToString(r.PrevHash[:])
	}
	return row, nil
}

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
