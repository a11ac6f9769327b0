package vault

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// rotations remembers how far the last rotation of the KEK has come.
var rotations = store.Rows[rotationRow]("rotation")

const rotationKey = store.Key("last")

type rotationRow struct {
	From     uint32    `cbor:"1,keyasint"`
	To       uint32    `cbor:"2,keyasint"`
	By       string    `cbor:"3,keyasint"`
	Started  int64     `cbor:"4,keyasint"`
	Bucket   int       `cbor:"5,keyasint,omitempty"` // index in sealedBuckets
	After    store.Key `cbor:"6,keyasint,omitempty"` // the last key that was looked at there
	Wrapped  uint64    `cbor:"7,keyasint,omitempty"`
	Finished int64     `cbor:"8,keyasint,omitempty"` // nothing is left under the old KEK
	Unopened uint64    `cbor:"9,keyasint,omitempty"`
	Last     string    `cbor:"10,keyasint,omitempty"` // the last that did not open
}

// lose counts what did not open.
func (r *rotationRow) lose(lost []keyring.Label) {
	for _, l := range lost {
		r.Last = fmt.Sprintf("%s %s, version %d", l.Bucket, plain(l.Row), l.Version)
	}
	r.Unopened += uint64(len(lost))
}

// plain writes what may come from nobody knows whom in printable ASCII.
func plain(s string) string { return strings.Trim(strconv.QuoteToASCII(s), `"`) }

// outcome is what the record says of a rotation that is finished.
func (r rotationRow) outcome() string {
	if r.Unopened == 0 {
		return fmt.Sprintf("finished: %d wrapped anew", r.Wrapped)
	}
	return fmt.Sprintf("finished: %d wrapped anew, %s", r.Wrapped, r.problem())
}

// problem says what did not open, if anything.
func (r rotationRow) problem() string {
	if r.Unopened == 0 {
		return ""
	}
	return fmt.Sprintf("%d lost because their keys do not open, the last one %s", r.Unopened, r.Last)
}

// Key returns the key of the one row there is.
func (rotationRow) Key() store.Key { return rotationKey }

// A Rotation says how far a rotation of the KEK has come.
type Rotation struct {
	// From and To are the versions of the old and the new KEK.
	From, To uint32
	By       string
	Started  time.Time
	// Wrapped counts the envelopes that were wrapped anew.
	Wrapped uint64
	// Finished is when the last one was; nil before.
	Finished *time.Time
	// Compacting tells that the file still holds old pages.
	Compacting bool
	// Unopened counts what is lost: its key did not open under the old KEK.
	Unopened uint64
	// Problem says why the rotation does not get on, or else what was lost last.
	Problem string
}

func (r rotationRow) rotation() Rotation {
	out := Rotation{From: r.From, To: r.To, By: r.By, Started: nanos(r.Started), Wrapped: r.Wrapped, Unopened: r.Unopened, Problem: r.problem()}
	if r.Finished != 0 {
		out.Finished = new(nanos(r.Finished))
	}
	return out
}

// Rotation returns the last rotation of the KEK, or [ErrNotFound] if there was
// none.
func (v *Vault) Rotation(ctx context.Context, by access.Caller) (r Rotation, err error) {
	err = v.look(ctx, by, access.RotateKEK, func(o *op) error {
		row, err := rotations.Get(o.Tx, rotationKey)
		if err != nil {
			return err
		}
		r = row.rotation()
		r.Compacting, err = o.compactDue()
		return err
	})
	if stuck := v.stuck.Load(); stuck != nil && (r.Finished == nil || r.Compacting) {
		r.Problem = *stuck
	}
	return r, err
}

// RotateKEK gives the vault a new KEK under a new password. From then on only
// that password opens it, recovery shares are void, and whatever is sealed is
// sealed under the new KEK; what was sealed before is wrapped anew by
// [Vault.FinishRotation], while the vault serves. An account has to give the
// current password too, which is [ErrWrongPassword] if it is not; from the
// administrator's token it may be the zero Bytes. It returns [ErrRotating] while
// the last rotation is not finished, and a [ConfirmationError] where a second
// person is needed.
func (v *Vault) RotateKEK(ctx context.Context, by access.Caller, next, current opaque.Bytes) (r Rotation, err error) {
	if next.Len() == 0 {
		return Rotation{}, invalid("new_kek_password", "must not be empty")
	}
	if err := v.mayTouchKeys(ctx, by, access.RotateKEK, "", current); err != nil {
		return Rotation{}, err
	}
	kek, slot, err := v.nextKEK(ctx, next)
	if err != nil {
		return Rotation{}, err
	}
	r, err = v.changeKEK(ctx, by, kek, slot)
	if err != nil {
		kek.Destroy()
		return Rotation{}, err
	}
	return r, nil
}

// mayTouchKeys checks what every operation on the roots of trust asks for: the
// role, a second person where two are needed, and the operator's password from
// an account, or where it is given.
func (v *Vault) mayTouchKeys(ctx context.Context, by access.Caller, a access.Action, what string, current opaque.Bytes) error {
	if err := v.may(ctx, by, record{action: a}); err != nil {
		return err
	}
	if by.Auth == byLogin || current.Len() > 0 {
		if _, err := v.slotOf(ctx, current); err != nil {
			return v.recordRefusal(ctx, by, a, err)
		}
	}
	return v.confirmed(ctx, by, a, what)
}

// recordRefusal records that the operator's password was wrong, and returns err.
func (v *Vault) recordRefusal(ctx context.Context, by access.Caller, a access.Action, err error) error {
	if !errors.Is(err, ErrWrongPassword) {
		return err
	}
	k, release, useErr := v.use()
	if useErr != nil {
		return useErr
	}
	defer release()
	return v.refused(ctx, k, by, record{action: a}, err)
}

// nextKEK makes the KEK that follows the current one, and its slot. That takes a
// while, and nobody waits for it.
func (v *Vault) nextKEK(ctx context.Context, password opaque.Bytes) (*keyring.KEK, keyring.Slot, error) {
	k, release, err := v.use()
	if err != nil {
		return nil, keyring.Slot{}, err
	}
	version := k.kek.Version()
	release()
	kek, err := keyring.NewKEK(version + 1)
	if err != nil {
		return nil, keyring.Slot{}, err
	}
	slot, err := v.sealSlot(ctx, kek, password)
	if err != nil {
		kek.Destroy()
	}
	return kek, slot, err
}

// changeKEK writes the new slot in the place of all others, wraps the long-lived
// keys anew, and seals the old KEK under the new one: in one transaction, during
// which nobody uses the keys.
func (v *Vault) changeKEK(ctx context.Context, by access.Caller, next *keyring.KEK, slot keyring.Slot) (Rotation, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.keys == nil:
		return Rotation{}, ErrSealed
	case v.keys.old != nil || v.keys.kek.Version()+1 != next.Version():
		return Rotation{}, ErrRotating
	}
	var row rotationRow
	var done *op
	err := v.db.Update(ctx, func(tx *store.Tx) error {
		done = v.newOp(tx, v.keys, by, record{action: access.RotateKEK})
		if err := done.stillLoggedIn(); err != nil {
			return err
		}
		row = rotationRow{
			From: v.keys.kek.Version(), To: next.Version(), By: by.Name, Started: done.now.UnixNano(),
		}
		done.record.about(fmt.Sprintf("kek_version=%d", row.To), "begun")
		n, err := done.rewrapKeys(next)
		if err != nil {
			return err
		}
		if err := done.replaceSlots(slot); err != nil {
			return err
		}
		if err := wraps.Put(tx, wrapRow{KEKVersion: row.To, Count: n}); err != nil {
			return err
		}
		if err := rotations.Put(tx, row); err != nil {
			return err
		}
		if err := done.compactLater(); err != nil {
			return err
		}
		return done.write()
	})
	if err != nil {
		return Rotation{}, v.refused(ctx, v.keys, by, record{action: access.RotateKEK}, translate(err))
	}
	v.keys.old, v.keys.kek = v.keys.kek, next
	v.announce(done)
	return row.rotation(), nil
}

// rewrapKeys seals the long-lived keys and the sentinel under the next KEK, and
// the current one beside them. It returns how often it wrapped.
func (o *op) rewrapKeys(next *keyring.KEK) (wrapped uint64, err error) {
	rows, err := gather(sealedKeys.All(o.Tx, ""))
	if err != nil {
		return 0, err
	}
	for _, r := range rows {
		plain, err := o.keys.kek.OpenBytes(r.Use, r.label(o.keys.vaultID), r.Sealed)
		if err != nil {
			return 0, fmt.Errorf("opening %s key: %w", r.Use, err)
		}
		r.KEKVersion = next.Version()
		r.Sealed, err = next.SealBytes(r.Use, r.label(o.keys.vaultID), plain)
		locked.Wipe(plain)
		if err != nil {
			return 0, err
		}
		if err := sealedKeys.Put(o.Tx, r); err != nil {
			return 0, err
		}
	}
	old := sealedKeyRow{Use: useOldKEK, KEKVersion: next.Version()}
	if old.Sealed, err = next.SealOld(old.label(o.keys.vaultID), o.keys.kek); err != nil {
		return 0, err
	}
	return uint64(len(rows)) + 1, sealedKeys.Insert(o.Tx, old)
}

// replaceSlots puts a slot in the place of all there are.
func (o *op) replaceSlots(slot keyring.Slot) error {
	if err := dropAll(o, slots, slots.All(o.Tx, "")); err != nil {
		return err
	}
	return slots.Insert(o.Tx, slotRow{slot})
}

// FinishRotation wraps anew what is still under the old KEK, forgets that, and
// compacts the file, whose freed pages hold the old wraps. Without a rotation
// under way it does nothing. It can be called at any time, by several; when ctx
// ends it stops where it is, and another call goes on from there. But where
// [Vault.Run] has time, that does it, logs its errors, and goes on when ctx has ended.
func (v *Vault) FinishRotation(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case v.rotate <- done:
	default:
		return v.finishRotation(ctx)
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (v *Vault) finishRotation(ctx context.Context) error {
	select {
	case v.rotating <- struct{}{}:
		defer func() { <-v.rotating }()
	case <-ctx.Done():
		return ctx.Err()
	}
	err := v.goOnRotating(ctx)
	v.stuck.Store(nil)
	if err != nil && ctx.Err() == nil {
		v.stuck.Store(new(err.Error()))
	}
	return err
}

// goOnRotating is finishRotation for one at a time.
func (v *Vault) goOnRotating(ctx context.Context) error {
	if err := v.rewrap(ctx); err != nil {
		return fmt.Errorf("rotating the key: %w", err)
	}
	if err := v.forgetOld(ctx); err != nil {
		return fmt.Errorf("rotating the key: %w", err)
	}
	return v.compact(ctx)
}

// forgetOld ends a rotation: nothing is left under the old KEK.
func (v *Vault) forgetOld(ctx context.Context) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	if k.old == nil {
		release()
		return nil
	}
	row, err := v.recordFinished(ctx, k)
	release()
	if err != nil {
		return translate(err)
	}
	v.mu.Lock() // until nobody uses what was read under the old KEK
	defer v.mu.Unlock()
	if v.keys == k { // else it was sealed meanwhile
		k.old.Destroy()
		k.old = nil
	}
	v.cfg.log().Info("everything is under the new key", "kek_version", row.To, "wrapped", row.Wrapped, "unopened", row.Unopened, "took", time.Since(nanos(row.Started)))
	return nil
}

// recordFinished records the end of a rotation, and deletes the old KEK.
func (v *Vault) recordFinished(ctx context.Context, k *keys) (row rotationRow, err error) {
	err = v.db.Update(ctx, func(tx *store.Tx) (err error) {
		o := v.newOp(tx, k, access.TheSystem(), record{action: access.RotateKEK})
		if row, err = rotations.Get(tx, rotationKey); err != nil {
			return err
		}
		row.Finished = o.now.UnixNano()
		o.record.about(fmt.Sprintf("kek_version=%d", row.To), row.outcome())
		if err := sealedKeys.Delete(tx, useOldKEK); err != nil {
			return err
		}
		for _, b := range sealedBuckets {
			tx.Touch(b) // rows that are remembered may still be under the old KEK
		}
		if err := rotations.Put(tx, row); err != nil {
			return err
		}
		// It is due since the beginning; but what was compacted meanwhile, for a
		// secret that was destroyed, left wraps behind that were still to come.
		if err := o.compactLater(); err != nil {
			return err
		}
		return o.write()
	})
	return row, err
}
