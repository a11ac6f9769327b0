package vault

import (
	"context"
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/recovery"
)

// A ShareError says what is wrong with one share of several.
type ShareError struct {
	// N counts the shares as they were given, from 1.
	N int
	// Reason completes "share N …".
	Reason string
}

func (e *ShareError) Error() string { return fmt.Sprintf("share %d %s", e.N, e.Reason) }

// SplitKey gives away shares with which the vault can be opened without a
// password: threshold of them are enough. They open a slot of their own, so that
// shares of an earlier split are void from now on. The caller wipes them; they
// are nowhere else. Who may is as for [Vault.RotateKEK].
func (v *Vault) SplitKey(ctx context.Context, by access.Caller, threshold, total int, current opaque.Bytes) (shares []opaque.Bytes, err error) {
	if threshold < recovery.MinThreshold || total < threshold || total > recovery.MaxShares {
		return nil, invalid("threshold", "must be at least %d, and not more than shares, of which there can be %d", recovery.MinThreshold, recovery.MaxShares)
	}
	what := fmt.Sprintf("%d of %d", threshold, total)
	if err := v.mayTouchKeys(ctx, by, access.SplitKey, what, current); err != nil {
		return nil, err
	}
	k, release, err := v.use()
	if err != nil {
		return nil, err
	}
	vaultID := k.vaultID
	slot, secret, err := k.kek.SealRecoverySlot(vaultID)
	release()
	if err != nil {
		return nil, err
	}
	defer secret.Wipe()
	if shares, err = recovery.Split(vaultID, slot.ID, secret, threshold, total); err != nil {
		return nil, err
	}
	err = v.do(ctx, by, record{action: access.SplitKey, resource: what}, func(o *op) error {
		if slot.KEKVersion != o.keys.kek.Version() {
			return ErrRotating
		}
		if _, err := o.dropSlots(keyring.Slot.IsRecovery, "void"); err != nil {
			return err
		}
		o.record.about(slot.ID, "set")
		return slots.Insert(o.Tx, slotRow{slot})
	})
	if err != nil {
		for _, s := range shares {
			s.Wipe()
		}
		return nil, err
	}
	return shares, nil
}

// A ShareSet collects the shares of one set. The zero value is empty.
type ShareSet struct{ shares []recovery.Share }

// Missing returns how many more shares are needed, or -1 before the first.
func (s *ShareSet) Missing() int {
	if len(s.shares) == 0 {
		return -1
	}
	return max(0, s.shares[0].Threshold-len(s.shares))
}

// Threshold returns how many shares it takes, 0 before the first.
func (s *ShareSet) Threshold() int {
	if len(s.shares) == 0 {
		return 0
	}
	return s.shares[0].Threshold
}

// Wipe forgets the shares.
func (s *ShareSet) Wipe() {
	for i := range s.shares {
		s.shares[i].Wipe()
	}
	s.shares = nil
}

// AddShare looks at one share and keeps it. A share that is mistyped, of another
// vault, of a set that is void, of another set than the ones before, or that was
// given before, is a [*ShareError], and is not kept.
func (v *Vault) AddShare(ctx context.Context, to *ShareSet, text opaque.Bytes) error {
	n := len(to.shares) + 1
	share, err := recovery.Parse(text)
	if err != nil {
		return &ShareError{n, "was mistyped, or is no share"}
	}
	reason, err := v.misfit(ctx, to, share)
	if err != nil || reason != "" {
		share.Wipe()
		if err == nil {
			err = &ShareError{n, reason}
		}
		return err
	}
	to.shares = append(to.shares, share)
	return nil
}

// misfit says why a share does not belong to a set.
func (v *Vault) misfit(ctx context.Context, to *ShareSet, share recovery.Share) (reason string, err error) {
	vaultID, found, err := v.readSlots(ctx)
	if err != nil {
		return "", err
	}
	if share.VaultID != vaultID {
		return "is of another vault", nil
	}
	valid := false
	for _, s := range found {
		valid = valid || s.IsRecovery() && s.ID == share.SetID
	}
	if !valid {
		return "is void: the key was split or rotated since", nil
	}
	for _, before := range to.shares {
		if before.X == share.X {
			return "was given before", nil
		}
	}
	return "", nil
}

// Recover opens the vault with a complete set of shares, and records it as an
// alarm. Until somebody sets a new password ([Vault.ChangePassword]), that takes
// no current one.
func (v *Vault) Recover(ctx context.Context, set *ShareSet) error {
	if set.Missing() != 0 {
		return errors.New("recovering: shares are missing")
	}
	secret, err := recovery.Combine(set.shares)
	if err != nil {
		return fmt.Errorf("recovering: %w", err)
	}
	defer secret.Wipe()
	k, err := v.openRecovery(ctx, set.shares[0].SetID, secret)
	if err != nil {
		return err
	}
	if err := v.unsealWith(ctx, k); err != nil {
		return err
	}
	v.recovered.Store(true)
	return v.do(ctx, access.TheSystem(), record{action: access.RecoveryBoot, status: statusAlarm}, func(*op) error { return nil })
}

func (v *Vault) openRecovery(ctx context.Context, setID string, secret opaque.Bytes) (*keys, error) {
	var row slotRow
	var meta metaRow
	err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		if meta, err = metas.Get(tx, metaKey); err != nil {
			return err
		}
		row, err = slots.Get(tx, store.Key(setID))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("recovering: %w", translate(err))
	}
	row.Slot.VaultID = meta.VaultID
	kek, err := keyring.OpenRecoverySlot(row.Slot, secret)
	if errors.Is(err, keyring.ErrWrongPassword) {
		return nil, ErrWrongShares
	}
	if err != nil {
		return nil, err
	}
	return &keys{vaultID: meta.VaultID, kek: kek}, nil
}

// Recovered reports whether the vault was opened with shares, and has had no new
// password since.
func (v *Vault) Recovered() bool { return v.recovered.Load() }
