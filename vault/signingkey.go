package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
	"github.com/cortex-auth/cortex/vault/locked"
)

// signingKeys holds the Ed25519 keys that sign tokens.
var signingKeys = store.Rows[signingKeyRow]("signing_key")

// A signingKeyRow is one signing key, its seed sealed.
type signingKeyRow struct {
	KID     string           `cbor:"1,keyasint"`
	Public  []byte           `cbor:"2,keyasint"`
	Created int64            `cbor:"3,keyasint"`
	Seed    keyring.Envelope `cbor:"4,keyasint"`
}

// Key returns the key id.
func (r signingKeyRow) Key() store.Key { return store.Key(r.KID) }

// A signer is a signing key in locked memory.
type signer struct {
	kid     string
	key     *locked.Signer
	created int64
}

// A sealedSigner is a new signing key and the row to keep it.
type sealedSigner struct {
	signer signer
	row    signingKeyRow
}

// newSigner makes a signing key. The caller counts its wrap.
func newSigner(k *keys) (sealedSigner, error) {
	key, err := locked.GenerateSigner()
	if err != nil {
		return sealedSigner{}, err
	}
	row := signingKeyRow{KID: uuid.NewString(), Public: key.Public(), Created: time.Now().UnixNano()}
	if row.Seed, err = k.kek.Seal(k.label("signing_key", row.KID, 1), key.Seed().Bytes()); err != nil {
		key.Destroy()
		return sealedSigner{}, err
	}
	return sealedSigner{signer{row.KID, key, row.Created}, row}, nil
}

// openSigners opens every signing key, newest first.
func openSigners(tx *store.Tx, k *keys) (all []signer, err error) {
	defer func() {
		if err != nil {
			for _, s := range all {
				s.key.Destroy()
			}
			all = nil
		}
	}()
	for r, err := range signingKeys.All(tx, "") {
		if err != nil {
			return all, err
		}
		key, err := k.openSigner("signing_key", r.KID, r.Public, r.Seed)
		if err != nil {
			return all, fmt.Errorf("opening signing key %s: %w", r.KID, err)
		}
		all = append(all, signer{r.KID, key, r.Created})
	}
	if len(all) == 0 {
		return nil, errors.New("there is no signing key")
	}
	slices.SortFunc(all, func(a, b signer) int { return cmp.Compare(b.created, a.created) })
	return all, nil
}

// openSigner opens an Ed25519 key whose seed is sealed, and makes sure that it is
// the one that belongs to public.
func (k *keys) openSigner(bucket, row string, public []byte, seed keyring.Envelope) (*locked.Signer, error) {
	plain, err := k.open(bucket, row, 1, seed)
	if err != nil {
		return nil, err
	}
	copied, err := lockedSeed(plain)
	if err != nil {
		return nil, err
	}
	key, err := locked.NewSigner(copied)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(key.Public(), ed25519.PublicKey(public)) {
		key.Destroy()
		return nil, errors.New("public key does not match the private key")
	}
	return key, nil
}

// signer returns the key that signs now.
func (k *keys) signer() signer { return k.signers[0] }

// publicKey finds a public key by its id.
func (k *keys) publicKey(kid string) (ed25519.PublicKey, bool) {
	for _, s := range k.signers {
		if s.kid == kid {
			return s.key.Public(), true
		}
	}
	return nil, false
}

// A SigningKey is the public half of a key that signs tokens.
type SigningKey struct {
	// KID is the key's id.
	KID string
	// Public verifies its signatures.
	Public ed25519.PublicKey
}

// JWKS returns the public signing keys, newest first. It touches no file.
func (v *Vault) JWKS(context.Context) ([]SigningKey, error) {
	k, release, err := v.use()
	if err != nil {
		return nil, err
	}
	defer release()
	out := make([]SigningKey, 0, len(k.signers))
	for _, s := range k.signers {
		out = append(out, SigningKey{s.kid, s.key.Public()})
	}
	return out, nil
}

// RotateSigningKey makes a new key that signs tokens from now on. Tokens that the
// old ones signed stay good for as long as they would have.
func (v *Vault) RotateSigningKey(ctx context.Context, by access.Caller) (SigningKey, error) {
	k, release, err := v.use()
	if err != nil {
		return SigningKey{}, err
	}
	next, err := newSigner(k)
	release()
	if err != nil {
		return SigningKey{}, err
	}
	err = v.addSigner(ctx, by, next)
	if err != nil {
		next.signer.key.Destroy()
		return SigningKey{}, err
	}
	return SigningKey{next.row.KID, next.signer.key.Public()}, nil
}

// maxSigners bounds the signing keys. The oldest go; what they signed is long
// over.
const maxSigners = 32

func (v *Vault) addSigner(ctx context.Context, by access.Caller, next sealedSigner) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.keys == nil {
		return ErrSealed
	}
	if next.row.Seed.KEKVersion != v.keys.kek.Version() {
		return ErrRotating
	}
	kept := min(maxSigners-1, len(v.keys.signers))
	rec := record{action: access.RotateSigningKey, resource: next.row.KID}
	err := v.doWith(ctx, v.keys, by, rec, func(o *op) error {
		for _, s := range v.keys.signers[kept:] {
			if err := signingKeys.Delete(o.Tx, store.Key(s.kid)); err != nil {
				return err
			}
		}
		if err := o.countWraps(1); err != nil {
			return err
		}
		return signingKeys.Insert(o.Tx, next.row)
	})
	if err != nil {
		return err
	}
	for _, s := range v.keys.signers[kept:] {
		s.key.Destroy()
	}
	v.keys.signers = append([]signer{next.signer}, slices.Clone(v.keys.signers[:kept])...)
	return nil
}
