package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/audit/note"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// A Since is a signed head that was kept outside of the vault, which the trail
// must reach and still have. One whose record was pruned long ago is an
// [audit.ErrLost].
type Since struct {
	// Note is the head.
	Note note.Note
	// Key is the key that must have signed it; if nil, the vault's own.
	Key *note.Key
}

// Pin returns the record to look for, after asking whether the head can be
// believed. Own is the vault's key, nil where it is not open. A nil Since asks
// for nothing.
func (s *Since) Pin(vaultID string, own *note.Key) (*audit.Pin, error) {
	if s == nil {
		return nil, nil
	}
	if s.Note.VaultID != vaultID {
		return nil, fmt.Errorf("the head is about vault %s, and this is vault %s", s.Note.VaultID, vaultID)
	}
	key := cmp.Or(s.Key, own)
	if key == nil {
		return nil, errors.New("whether the vault signed the head is not known without its verifier key")
	}
	if err := s.Note.Verify(*key); err != nil {
		return nil, err
	}
	return &audit.Pin{Seq: s.Note.Seq, RowHash: s.Note.RowHash}, nil
}

// VerifyAudit replays the trail with its key.
func (v *Vault) VerifyAudit(ctx context.Context) (audit.Report, error) {
	return v.verifyUnsealed(ctx, nil)
}

// VerifyAuditFor is VerifyAudit for those who may read the trail, and may have
// kept a head of it. A head that the vault did not sign, or that is too old, is an
// [*InvalidError], and more than one at a time are [ErrTooMany].
func (v *Vault) VerifyAuditFor(ctx context.Context, by access.Caller, since *Since) (audit.Report, error) {
	var pin *audit.Pin
	err := v.look(ctx, by, access.ReadAudit, func(o *op) (err error) {
		if pin, err = since.Pin(o.keys.vaultID, new(o.keys.noteKey())); err != nil {
			return invalid("since_head", "is of no use: %v", err)
		}
		return nil
	})
	if err != nil {
		return audit.Report{}, err
	}
	if !v.verifying.TryLock() {
		return audit.Report{}, ErrTooMany
	}
	defer v.verifying.Unlock()
	report, err := v.verifyUnsealed(ctx, pin)
	if errors.Is(err, audit.ErrLost) {
		err = invalid("since_head", "is of no use: %v", err)
	}
	return report, err
}

// VerifyAuditUnkeyed replays the trail of a vault that need not be unsealed,
// by its hashes alone: that shows accidents, but not whoever recomputes them.
// The head, unless it is nil, must come with its key.
func (v *Vault) VerifyAuditUnkeyed(ctx context.Context, since *Since) (audit.Report, error) {
	var pin *audit.Pin
	err := v.db.View(ctx, func(tx *store.Tx) error {
		meta, err := metas.Get(tx, metaKey)
		if err == nil {
			pin, err = since.Pin(meta.VaultID, nil)
		}
		return err
	})
	if isNotFound(err) {
		err = ErrNotInitialized
	}
	if err != nil {
		return audit.Report{}, err
	}
	return replay{view: v.db.View, pin: pin}.run(ctx)
}

// VerifyAuditWith replays the trail of a sealed vault with the key that
// password opens, and leaves the vault sealed. It works on a trail that is too
// broken to unseal. Errors are those of [Vault.Unseal].
func (v *Vault) VerifyAuditWith(ctx context.Context, password opaque.Bytes, since *Since) (audit.Report, error) {
	vaultID, _, kek, err := v.openSlot(ctx, password)
	if err != nil {
		return audit.Report{}, err
	}
	k := &keys{vaultID: vaultID, kek: kek}
	defer k.destroy()
	if err := v.db.View(ctx, k.openForAudit); err != nil {
		return audit.Report{}, err
	}
	var own *note.Key
	if k.note != nil {
		own = new(k.noteKey())
	}
	pin, err := since.Pin(vaultID, own)
	if err != nil {
		return audit.Report{}, err
	}
	return replay{view: v.db.View, keys: k.chain(), pin: pin}.run(ctx)
}
