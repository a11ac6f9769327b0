package vault

import (
	"context"

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
	if err := v.may(ctx, by, record{action: access.ChangePassword}); err != nil {
		return err
	}
	old, err := v.slotToReplace(ctx, current)
	if err != nil {
		return v.recordRefusal(ctx, by, access.ChangePassword, err)
	}
	slot, err := v.newSlot(ctx, next)
	if err != nil {
		return err
	}
	err = v.do(ctx, by, record{action: access.ChangePassword, resource: slot.ID}, func(o *op) error {
		if slot.KEKVersion != o.keys.kek.Version() {
			return ErrRotating
		}
		n, err := o.dropSlots(func(s keyring.Slot) bool { return s.ID == old || old == "" && !s.IsRecovery() }, "replaced")
		if err != nil {
			return err
		}
		if n == 0 {
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
	_, slot, kek, err := v.openSlot(ctx, password)
	if err != nil {
		return "", err
	}
	kek.Destroy()
	return slot, nil
}

// newSlot makes a slot of the current KEK under a password.
func (v *Vault) newSlot(ctx context.Context, password opaque.Bytes) (keyring.Slot, error) {
	k, release, err := v.use()
	if err != nil {
		return keyring.Slot{}, err
	}
	defer release()
	return v.sealSlot(ctx, k.kek, password)
}
