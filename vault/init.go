package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Initialized reports whether the vault has keys at all. A new one has none.
func (v *Vault) Initialized(ctx context.Context) (bool, error) {
	var found bool
	err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		found, err = metas.Has(tx, metaKey)
		return err
	})
	return found, err
}

// Init makes the keys of a new vault, with password as its first root of
// trust, and leaves it unsealed. It returns [ErrInitialized] for a vault that
// has keys.
func (v *Vault) Init(ctx context.Context, password opaque.Bytes) error {
	if password.Len() == 0 {
		return invalid("password", "must not be empty")
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if found, err := v.Initialized(ctx); err != nil || found {
		return errors.Join(err, ErrInitialized)
	}
	k := &keys{vaultID: uuid.NewString()}
	if err := v.initialize(ctx, k, password); err != nil {
		v.db.SetMAC(nil)
		k.destroy()
		return fmt.Errorf("initialising vault: %w", err)
	}
	v.keys = k
	return nil
}

// initialize fills k and writes everything a vault begins with.
func (v *Vault) initialize(ctx context.Context, k *keys, password opaque.Bytes) (err error) {
	if k.kek, err = keyring.NewKEK(1); err != nil {
		return err
	}
	slot, err := k.kek.SealSlot(ctx, k.vaultID, password, cmp.Or(v.cfg.Params, keyring.Usual()))
	if err != nil {
		return err
	}
	var rows []sealedKeyRow
	for _, use := range fromStart {
		r, err := k.sealKey(use, uuid.NewString())
		if err != nil {
			return err
		}
		rows = append(rows, r)
	}
	sentinel := sealedKeyRow{Use: useSentinel, KEKVersion: k.kek.Version()}
	if sentinel.Sealed, err = k.kek.SealBytes(useSentinel, sentinel.label(k.vaultID), []byte(sentinelText)); err != nil {
		return err
	}
	first, err := newSigner(k)
	if err != nil {
		return err
	}
	k.signers = []signer{first.signer}
	v.db.SetMAC(k.row)
	return v.db.Update(ctx, func(tx *store.Tx) error {
		return v.writeFirst(tx, k, slot, append(rows, sentinel), first.row)
	})
}

// writeFirst writes the rows of a new vault and the first audit entry.
func (v *Vault) writeFirst(tx *store.Tx, k *keys, slot keyring.Slot, sealed []sealedKeyRow, first signingKeyRow) error {
	now := time.Now()
	if err := metas.Insert(tx, metaRow{VaultID: k.vaultID, Created: now.UnixNano()}); err != nil {
		return err
	}
	if err := slots.Insert(tx, slotRow{slot}); err != nil {
		return err
	}
	for _, r := range sealed {
		if err := sealedKeys.Insert(tx, r); err != nil {
			return err
		}
	}
	if err := heads.Insert(tx, headRow{Head: audit.Begin(k.audit, k.vaultID).Marshal()}); err != nil {
		return err
	}
	if err := wraps.Insert(tx, wrapRow{KEKVersion: k.kek.Version(), Count: wrapsAtInit}); err != nil {
		return err
	}
	if err := signingKeys.Insert(tx, first); err != nil {
		return err
	}
	if err := namespaces.Insert(tx, namespaceRow{Name: DefaultNamespace, Created: now.UnixNano()}); err != nil {
		return err
	}
	o := &op{Tx: tx, keys: k, by: access.TheSystem(), now: now, record: record{action: access.Initialize}}
	return o.write()
}
