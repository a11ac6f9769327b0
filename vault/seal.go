package vault

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// Unseal opens the vault with a password: it returns [ErrWrongPassword] if no
// slot opens with it, [ErrNotInitialized] for a new vault, [ErrTooMany] while
// another password is tried, [ErrAuditBroken] if the audit trail lost its end,
// and [ErrUnconfirmed] if one person alone restored what takes two.
func (v *Vault) Unseal(ctx context.Context, password opaque.Bytes) error {
	if !v.Sealed() {
		return nil
	}
	vaultID, _, kek, err := v.openSlot(ctx, password)
	if err != nil {
		return err
	}
	return v.unsealWith(ctx, &keys{vaultID: vaultID, kek: kek})
}

// unsealWith opens the vault with a KEK, of which it takes ownership.
func (v *Vault) unsealWith(ctx context.Context, k *keys) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys != nil {
		k.destroy()
		return nil
	}
	for _, step := range []func(context.Context, *keys) error{v.open, v.settleRestored, v.settleNoteKey} {
		if err := step(ctx, k); err != nil {
			v.db.SetMAC(nil)
			k.destroy()
			return fmt.Errorf("unsealing: %w", err)
		}
	}
	v.keys = k
	v.recovered.Store(false)
	v.wake()
	select {
	case v.opened <- struct{}{}: // wakes Run
	default:
	}
	return nil
}

// open fills k from the store with what its KEK opens, and makes the store's
// rows readable.
func (v *Vault) open(ctx context.Context, k *keys) error {
	err := v.db.View(ctx, func(tx *store.Tx) error {
		if err := k.checkSentinel(tx); err != nil {
			return err
		}
		for _, use := range fromStart {
			// A vault from before heads were signed has no key for that yet.
			if err := k.openKey(tx, use); err != nil && (use != useNote || !isNotFound(err)) {
				return err
			}
		}
		return k.openOld(tx)
	})
	if err != nil {
		return err
	}
	v.db.SetMAC(k.row)
	return v.db.View(ctx, func(tx *store.Tx) (err error) {
		if k.signers, err = openSigners(tx, k); err != nil {
			return err
		}
		_, err = checkHead(tx, k)
		return err
	})
}

// checkSentinel has the last word on whether a KEK is the vault's.
func (k *keys) checkSentinel(tx *store.Tx) error {
	r, err := sealedKeys.Get(tx, useSentinel)
	if err != nil {
		return fmt.Errorf("reading sentinel: %w", err)
	}
	plain, err := k.kek.OpenBytes(useSentinel, r.label(k.vaultID), r.Sealed)
	if err != nil || subtle.ConstantTimeCompare(plain, []byte(sentinelText)) != 1 {
		return ErrWrongPassword
	}
	return nil
}

// Start records that the vault began to serve, and logs the signed head. In mixed
// order with [Close] it tells a crash from a stop.
func (v *Vault) Start(ctx context.Context) error {
	err := v.do(ctx, access.TheSystem(), record{action: access.Start}, (*op).noteTwoPersons)
	if err == nil {
		v.logHead(ctx)
	}
	return err
}

// RecordInsecure records that the vault serves with a protection switched off.
// The setting is its name, such as "CORTEX_RATE_LIMITS=off".
func (v *Vault) RecordInsecure(ctx context.Context, setting string) error {
	return v.do(ctx, access.TheSystem(), record{action: access.Insecure, resource: setting}, func(*op) error { return nil })
}

// Close records what is still to be recorded, logs the signed head, waits for the
// operations under way, and destroys the keys. The DB stays open. Closing a sealed vault does
// nothing.
func (v *Vault) Close() error {
	if v.Sealed() {
		return nil
	}
	ctx := context.Background()
	err := errors.Join(
		v.flushFailures(ctx),
		v.do(ctx, access.TheSystem(), record{action: access.Stop}, func(*op) error { return nil }),
	)
	v.logHead(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget()
	return err
}

// Seal takes the keys out of memory, after the operations under way, and records
// it and logs the signed head before that. Those who are told of it are told first,
// within seconds or not before the vault is opened again. Sealing a sealed vault is
// [ErrSealed].
func (v *Vault) Seal(ctx context.Context, by access.Caller) error {
	err := v.do(ctx, by, record{action: access.Seal}, func(*op) error { return nil })
	if err != nil {
		return err
	}
	v.lastWords(ctx)
	err = v.flushFailures(context.WithoutCancel(ctx))
	v.logHead(context.WithoutCancel(ctx))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.forget()
	return err
}

// RecordUnseal records that somebody opened the vault while it served.
func (v *Vault) RecordUnseal(ctx context.Context, from access.Origin) error {
	by := access.TheSystem()
	by.Origin = from
	return v.do(ctx, by, record{action: access.Unseal}, func(*op) error { return nil })
}

// forget destroys the keys. The caller holds mu.
func (v *Vault) forget() {
	if v.keys == nil {
		return
	}
	v.db.SetMAC(nil)
	v.keys.destroy()
	v.keys = nil
	v.news.end(ErrSealed)
}

// Sealed reports whether the keys are out of memory.
func (v *Vault) Sealed() bool {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keys == nil
}

// KEKVersion returns the version of the KEK, 0 while sealed.
func (v *Vault) KEKVersion() uint32 {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return 0
	}
	return v.keys.kek.Version()
}

// ID returns the vault's id, "" while sealed.
func (v *Vault) ID() string {
	v.mu.RLock()
	defer v.mu.RUnlock()
	if v.keys == nil {
		return ""
	}
	return v.keys.vaultID
}

// Health returns nil if the vault is unsealed and its file can be read,
// [ErrSealed] if it is sealed, else what is wrong.
func (v *Vault) Health(ctx context.Context) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	return v.db.View(ctx, func(tx *store.Tx) error {
		_, err := readHead(tx, k)
		return err
	})
}

// lockedSeed returns the plaintext of a sealed 32-byte seed in locked memory
// and wipes the copy on the heap.
func lockedSeed(plain []byte) (*locked.Buffer, error) {
	defer locked.Wipe(plain)
	return locked.Copy(plain)
}
