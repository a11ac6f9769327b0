package vault

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
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
