package vault

import (
	"fmt"
	"slices"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
)

// The keys that are made once, from the first KEK, and then sealed under the
// KEK of the day. The use is also the label they are derived under.
const (
	useAudit    = "audit"
	usePepper   = "pepper"
	useIndex    = "index"
	useRow      = "row"
	useNote     = "note"
	useSentinel = "sentinel"
	useOldKEK   = "old-kek" // the KEK before this one, during a rotation
)

// fromStart are the uses of the keys that a vault has from its beginning.
var fromStart = []string{useAudit, usePepper, useIndex, useRow, useNote}

// sentinelText is what the sentinel decrypts to.
const sentinelText = "cortex/1/sentinel"

// The buckets that can be read while the vault is sealed. What they hold is
// public or sealed.
var (
	metas      = store.Clear[metaRow]("meta")
	slots      = store.Clear[slotRow]("slot")
	sealedKeys = store.Clear[sealedKeyRow]("sealed_key")
)

const metaKey = store.Key("vault")

// A metaRow is what is known of a sealed vault.
type metaRow struct {
	VaultID string `cbor:"1,keyasint"`
	Created int64  `cbor:"2,keyasint"` // Unix nanoseconds
}

// Key returns the key of the one row there is.
func (metaRow) Key() store.Key { return metaKey }

// A slotRow is one root of trust.
type slotRow struct {
	Slot keyring.Slot `cbor:"1,keyasint"`
}

// Key returns the slot's id.
func (r slotRow) Key() store.Key { return store.Key(r.Slot.ID) }

// A sealedKeyRow is a key, or the sentinel, sealed under the KEK.
type sealedKeyRow struct {
	Use        string `cbor:"1,keyasint"`
	KID        string `cbor:"2,keyasint"`
	KEKVersion uint32 `cbor:"3,keyasint"`
	Sealed     []byte `cbor:"4,keyasint"`
}

// Key returns the use.
func (r sealedKeyRow) Key() store.Key { return store.Key(r.Use) }

// label says where a key of that use and id belongs.
func (r sealedKeyRow) label(vaultID string) keyring.Label {
	return keyring.Label{VaultID: vaultID, Bucket: "sealed_key", Row: r.Use + "/" + r.KID, Version: 1}
}

// keys is everything an unsealed vault has in locked memory.
type keys struct {
	vaultID string
	kek     *keyring.KEK
	old     *keyring.KEK // the one before, while something is still under it
	audit   auditKey
	pepper  *keyring.MAC   // admin token
	index   *keyring.MAC   // look-ups by token and device code
	row     *keyring.MAC   // every row of the store
	note    *locked.Signer // heads of the audit trail
	signers []signer       // newest first
}

// An auditKey is the key of the audit trail, with the id its entries name.
type auditKey struct {
	kid string
	mac *keyring.MAC
}

var _ audit.MACKey = auditKey{}

// KID returns the id of the key.
func (k auditKey) KID() string { return k.kid }

// AuditTag returns the MAC over label and parts.
func (k auditKey) AuditTag(label string, parts ...[]byte) [32]byte {
	return k.mac.Tag(slices.Concat([][]byte{[]byte(label)}, parts)...)
}

// destroy wipes every key there is. It may be half filled.
func (k *keys) destroy() {
	for _, m := range []*keyring.MAC{k.audit.mac, k.pepper, k.index, k.row} {
		if m != nil {
			m.Destroy()
		}
	}
	if k.note != nil {
		k.note.Destroy()
	}
	for _, s := range k.signers {
		s.key.Destroy()
	}
	for _, kek := range []*keyring.KEK{k.kek, k.old} {
		if kek != nil {
			kek.Destroy()
		}
	}
}

// set puts a key of 32 bytes to its use. It takes ownership of it.
func (k *keys) set(use, kid string, key *locked.Buffer) (err error) {
	if use == useNote {
		k.note, err = locked.NewSigner(key)
		return err
	}
	m, err := keyring.NewMAC(key)
	if err != nil {
		return err
	}
	switch use {
	case useAudit:
		k.audit = auditKey{kid, m}
	case usePepper:
		k.pepper = m
	case useIndex:
		k.index = m
	case useRow:
		k.row = m
	default:
		panic("vault: no such key: " + use)
	}
	return nil
}

// sealKey derives the key of one use from the KEK, puts it in its place and
// returns its sealed form.
func (k *keys) sealKey(use, kid string) (sealedKeyRow, error) {
	key, err := k.kek.Derive(use)
	if err != nil {
		return sealedKeyRow{}, err
	}
	r := sealedKeyRow{Use: use, KID: kid, KEKVersion: k.kek.Version()}
	if r.Sealed, err = k.kek.SealBytes(use, r.label(k.vaultID), key.Bytes()); err != nil {
		key.Destroy()
		return sealedKeyRow{}, err
	}
	return r, k.set(use, kid, key)
}

// openKey brings back what sealKey sealed.
func (k *keys) openKey(tx *store.Tx, use string) error {
	r, err := sealedKeys.Get(tx, store.Key(use))
	if err != nil {
		return fmt.Errorf("reading %s key: %w", use, err)
	}
	plain, err := k.kek.OpenBytes(use, r.label(k.vaultID), r.Sealed)
	if err != nil {
		return fmt.Errorf("opening %s key: %w", use, err)
	}
	defer locked.Wipe(plain)
	key, err := locked.Copy(plain)
	if err != nil {
		return err
	}
	return k.set(use, r.KID, key)
}

// openOld brings back the KEK before this one, if a rotation is not finished.
func (k *keys) openOld(tx *store.Tx) error {
	r, err := sealedKeys.Get(tx, useOldKEK)
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading old KEK: %w", err)
	}
	if k.old, err = k.kek.OpenOld(r.label(k.vaultID), r.Sealed, k.kek.Version()-1); err != nil {
		return fmt.Errorf("opening old KEK: %w", err)
	}
	return nil
}
