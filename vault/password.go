package vault

import (
	"context"
	"errors"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// ChangePassword gives the vault another operator password: one slot is written
// in the place of that which the current one opens, and nothing else changes.
// After a recovery, in which nobody knew the password, the current one may be the
// zero Bytes; then the new one takes the place of all passwords. It returns
// [ErrWrongPassword] for a current password that is not, and [ErrRotating] if the
// KEK changed meanwhile.
func (v *Vault) ChangePassword(ctx context.Context, by access.Caller, current, next opaque.Bytes) error {
	if next.Len() == 0 {
		return invalid("new_password", "must not be empty")
	}
	if !by.May(access.ChangePassword) {
		return v.do(ctx, by, record{action: access.ChangePassword}, func(*op) error { return ErrDenied })
	}
	old, err := v.slotToReplace(ctx, current)
	if err != nil {
		return v.recordRefusal(ctx, by, access.ChangePassword, err)
	}
	slot, err := v.newSlot(next)
	if err != nil {
		return err
	}
	err = v.do(ctx, by, record{action: access.ChangePassword, resource: slot.ID}, func(o *op) error {
		if slot.KEKVersion != o.keys.kek.Version() {
			return ErrRotating
		}
		for r, err := range slots.All(o.Tx, "") {
			if err != nil {
				return err
			}
			if r.Slot.ID == old || old == "" && !r.Slot.IsRecovery() {
				o.record.about(r.Slot.ID, "replaced")
			}
		}
		for _, r := range o.record.resources {
			if err := slots.Delete(o.Tx, store.Key(r.Path)); err != nil {
				return err
			}
		}
		if len(o.record.resources) == 0 {
			return ErrRotating // the slot is gone: somebody was faster
		}
		return slots.Insert(o.Tx, slotRow{slot})
	})
	if err == nil {
		v.recovered.Store(false)
	}
	return err
}

// slotToReplace returns the id of the slot that a password opens, "" for all
// after a recovery.
func (v *Vault) slotToReplace(ctx context.Context, current opaque.Bytes) (string, error) {
	if current.Len() == 0 && v.recovered.Load() {
		return "", nil
	}
	return v.slotOf(ctx, current)
}

// slotOf returns the id of the slot that a password opens, else
// [ErrWrongPassword]. It takes a while, and more than one at a time are
// [ErrTooMany].
func (v *Vault) slotOf(ctx context.Context, password opaque.Bytes) (string, error) {
	if password.Len() == 0 {
		return "", ErrWrongPassword
	}
	select {
	case v.deriving <- struct{}{}:
		defer func() { <-v.deriving }()
	default:
		return "", ErrTooMany
	}
	_, found, err := v.readSlots(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range found {
		if s.IsRecovery() {
			continue
		}
		kek, err := keyring.OpenSlot(s, password)
		if errors.Is(err, keyring.ErrWrongPassword) {
			continue
		}
		if err != nil {
			return "", err
		}
		kek.Destroy()
		return s.ID, nil
	}
	return "", ErrWrongPassword
}

// newSlot makes a slot of the current KEK under a password.
func (v *Vault) newSlot(password opaque.Bytes) (keyring.Slot, error) {
	k, release, err := v.use()
	if err != nil {
		return keyring.Slot{}, err
	}
	defer release()
	return k.kek.SealSlot(k.vaultID, password, v.cfg.params())
}
