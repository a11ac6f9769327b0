package vault

import (
	"errors"
	"fmt"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
)

// How many wraps one KEK may do. AES-GCM with random 96-bit nonces must not
// be used for more than 2^32 messages under one key (NIST SP 800-38D, 8.3).
const (
	wrapsMax    = 1 << 32
	wrapsWarn   = 1 << 31
	wrapsAtInit = 7 // five keys, the sentinel, one signing key
)

// ErrKEKExhausted means that the KEK has wrapped as many keys as it safely can.
var ErrKEKExhausted = errors.New("the key-encryption key has wrapped as many keys as it safely can: rotate it (cortex rotate-key)")

// wraps counts what each KEK has wrapped.
var wraps = store.Rows[wrapRow]("wrap_count")

const wrapKey = store.Key("kek")

// A wrapRow counts the wraps of the current KEK.
type wrapRow struct {
	KEKVersion uint32 `cbor:"1,keyasint"`
	Count      uint64 `cbor:"2,keyasint"`
}

// Key returns the key of the one row there is.
func (wrapRow) Key() store.Key { return wrapKey }

// seal encrypts plaintext for its place and counts the wrap.
func (o *op) seal(bucket, row string, version uint64, plaintext []byte) (keyring.Envelope, error) {
	w, err := wraps.Get(o.Tx, wrapKey)
	if err != nil {
		return keyring.Envelope{}, fmt.Errorf("reading wrap count: %v", err)
	}
	if w.Count >= wrapsMax {
		return keyring.Envelope{}, ErrKEKExhausted
	}
	w.Count++
	if err := wraps.Put(o.Tx, w); err != nil {
		return keyring.Envelope{}, err
	}
	return o.keys.kek.Seal(o.keys.label(bucket, row, version), plaintext)
}

// countWraps adds to the wraps of the current KEK.
func (o *op) countWraps(n uint64) error {
	w, err := wraps.Get(o.Tx, wrapKey)
	if err != nil {
		return fmt.Errorf("reading wrap count: %v", err)
	}
	w.Count += n
	return wraps.Put(o.Tx, w)
}

// open decrypts what was sealed for its place. The caller wipes what it gets.
func (k *keys) open(bucket, row string, version uint64, e keyring.Envelope) ([]byte, error) {
	kek := k.kek
	if k.old != nil && e.KEKVersion == k.old.Version() {
		kek = k.old
	}
	return kek.Open(k.label(bucket, row, version), e)
}

// openAll is open for several.
func (k *keys) openAll(all []keyring.Found) ([][]byte, error) {
	if k.old == nil {
		return k.kek.OpenAll(all)
	}
	contents := make([][]byte, 0, len(all))
	for _, f := range all { // some are under the old KEK, some under the new
		content, err := k.open(f.Label.Bucket, f.Label.Row, f.Label.Version, f.Envelope)
		if err != nil {
			for _, c := range contents {
				locked.Wipe(c)
			}
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

// label says where an envelope belongs.
func (k *keys) label(bucket, row string, version uint64) keyring.Label {
	return keyring.Label{VaultID: k.vaultID, Bucket: bucket, Row: row, Version: version}
}

// left returns how many more keys the current KEK may wrap, and whether
// it is time to rotate it.
func (w wrapRow) left() (n uint64, soon bool) {
	if w.Count >= wrapsMax {
		return 0, true
	}
	return wrapsMax - w.Count, w.Count >= wrapsWarn
}
