package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
	"github.com/cortex-auth/cortex/vault/proof"
)

// identities holds the key by which clients know the vault again, whatever
// certificate its server shows.
var identities = store.Rows[identityRow]("identity")

const identityKey = store.Key("vault")

type identityRow struct {
	Public []byte           `cbor:"1,keyasint"` // Ed25519
	Issued int64            `cbor:"2,keyasint"` // of its last statement, Unix seconds
	Seed   keyring.Envelope `cbor:"3,keyasint"`
}

// Key returns the key of the one row there is.
func (identityRow) Key() store.Key { return identityKey }

// Identity returns the public half of the vault's identity key. The first call
// makes the key, which never changes.
func (v *Vault) Identity(ctx context.Context) (public ed25519.PublicKey, err error) {
	err = v.look(ctx, access.TheSystem(), access.MakeIdentity, func(o *op) error {
		row, err := identities.Get(o.Tx, identityKey)
		public = row.Public
		return err
	})
	if !errors.Is(err, ErrNotFound) {
		return public, err
	}
	err = v.do(ctx, access.TheSystem(), record{action: access.MakeIdentity}, func(o *op) error {
		row, err := o.makeIdentity()
		public = row.Public
		return err
	})
	return public, err
}

// makeIdentity makes the identity key, unless somebody else just did.
func (o *op) makeIdentity() (row identityRow, err error) {
	if row, err = identities.Get(o.Tx, identityKey); !isNotFound(err) {
		return row, err
	}
	key, err := locked.GenerateSigner()
	if err != nil {
		return row, fmt.Errorf("making the vault's identity key: %w", err)
	}
	defer key.Destroy()
	row.Public = key.Public()
	if row.Seed, err = o.seal("identity", string(identityKey), 1, key.Seed().Bytes()); err != nil {
		return row, err
	}
	o.record.resource = proof.Fingerprint(key.Public())
	return row, identities.Insert(o.Tx, row)
}

// A ServerKey is the vault's word for a key of its server.
type ServerKey struct {
	proof.ServerKey
	// Signature is by the identity key, over the statement's message.
	Signature []byte
}

// Vouch has the vault sign that a TLS key is its server's from now on. Each
// statement is later than the one before, also if the clock stepped back; but by
// more than [proof.MaxAhead] none is ahead of the clock, which nobody would take:
// rather than that it is of now, and the record says so.
func (v *Vault) Vouch(ctx context.Context, key proof.TLSKey) (s ServerKey, err error) {
	if _, err := v.Identity(ctx); err != nil {
		return s, err
	}
	rec := record{action: access.VouchServerKey, resource: key.String()}
	err = v.do(ctx, access.TheSystem(), rec, func(o *op) error {
		row, err := identities.Get(o.Tx, identityKey)
		if err != nil {
			return err
		}
		row.Issued = o.after(row.Issued)
		s.ServerKey = proof.ServerKey{Vault: row.Public, Issued: row.Issued, Key: key}
		if s.Signature, err = o.signAsVault(row, s.Message()); err != nil {
			return err
		}
		return identities.Put(o.Tx, row)
	})
	return s, err
}

// after returns the time of a statement that follows one of that time.
func (o *op) after(last int64) int64 {
	now := o.now.Unix()
	next := max(now, last+1)
	if time.Unix(next, 0).Sub(o.now) <= proof.MaxAhead {
		return next
	}
	o.record.about("clock", "the last statement was of "+time.Unix(last, 0).UTC().Format(time.RFC3339))
	return now
}

// signAsVault signs with the identity key, which is in memory no longer than that.
func (o *op) signAsVault(row identityRow, message []byte) ([]byte, error) {
	key, err := o.keys.openSigner("identity", string(identityKey), row.Public, row.Seed)
	if err != nil {
		return nil, fmt.Errorf("opening the vault's identity key: %w", err)
	}
	defer key.Destroy()
	return key.Sign(message)
}
