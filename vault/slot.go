package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// readSlots returns the vault's id and its slots.
func (v *Vault) readSlots(ctx context.Context) (vaultID string, found []keyring.Slot, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) error {
		meta, err := metas.Get(tx, metaKey)
		if err != nil {
			return err
		}
		vaultID = meta.VaultID
		return collect(&found, slots.All(tx, ""), func(r slotRow) keyring.Slot {
			// A slot of another vault in this file would open, but not its keys.
			r.Slot.VaultID = vaultID
			return r.Slot
		})
	})
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNotInitialized
	}
	return vaultID, found, err
}

// openSlot returns the vault's id, and the slot that a password opens with the KEK
// in it; [ErrWrongPassword] if there is none. It takes a while, and more than one
// at a time are [ErrTooMany].
func (v *Vault) openSlot(ctx context.Context, password opaque.Bytes) (vaultID, slot string, kek *keyring.KEK, err error) {
	release, err := hold(v.deriving)
	if err != nil {
		return "", "", nil, err
	}
	defer release()
	vaultID, found, err := v.readSlots(ctx)
	if err != nil {
		return "", "", nil, err
	}
	for _, s := range found {
		if s.IsRecovery() {
			continue
		}
		kek, err := keyring.OpenSlot(ctx, s, password)
		if errors.Is(err, keyring.ErrWrongPassword) {
			continue
		}
		if err != nil {
			return "", "", nil, fmt.Errorf("opening key slot %s: %w", s.ID, err)
		}
		return vaultID, s.ID, kek, nil
	}
	return "", "", nil, ErrWrongPassword
}

// sealSlot makes a slot of a KEK under a password, for the place of the one there
// is. It takes a while.
func (v *Vault) sealSlot(ctx context.Context, kek *keyring.KEK, password opaque.Bytes) (keyring.Slot, error) {
	vaultID, found, err := v.readSlots(ctx)
	if err != nil {
		return keyring.Slot{}, err
	}
	cost := v.cfg.Params
	for _, s := range found {
		if !s.IsRecovery() {
			cost = cmp.Or(cost, s.Params)
		}
	}
	return kek.SealSlot(ctx, vaultID, password, cost)
}

// hold takes a place among those that are working, or returns [ErrTooMany] if
// all are taken.
func hold(places chan struct{}) (release func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	default:
		return nil, ErrTooMany
	}
}

// dropSlots deletes the slots that are to go, says so in the record, and returns
// how many there were.
func (o *op) dropSlots(which func(keyring.Slot) bool, why string) (n int, err error) {
	old, err := gather(filter(slots.All(o.Tx, ""), func(r slotRow) bool { return which(r.Slot) }))
	if err != nil {
		return 0, err
	}
	for _, r := range old {
		o.record.about(r.Slot.ID, why)
		if err := slots.Delete(o.Tx, r.Key()); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}
