package vault

import (
	"context"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// deletedKept is how long a deleted secret can be had back.
const deletedKept = 30 * day

// deletedSecrets are secrets that were deleted and can be had back. They have no
// path, no grants and no shares; their versions lie where they were.
var (
	deletedSecrets = store.Rows[deletedRow]("deleted_secret")
	deletedInOrder = store.Unique(deletedSecrets, "deleted_secret_in_order", func(r deletedRow) (store.Key, bool) {
		return store.Join(r.Secret.Path, r.Secret.Namespace, r.Secret.ID), true
	})
	deletedByTime = store.NewMulti(deletedSecrets, "deleted_secret_by_time", func(r deletedRow) (store.Key, bool) {
		return store.Key(pad(uint64(r.Deleted))), true
	})
)

type deletedRow struct {
	Secret  secretRow `cbor:"1,keyasint"`
	Deleted int64     `cbor:"2,keyasint"`
}

// Key returns the secret's id.
func (r deletedRow) Key() store.Key { return r.Secret.Key() }

func (r deletedRow) secret() Secret {
	s := r.Secret.secret()
	at := nanos(r.Deleted)
	s.Deleted, s.Destroyed = &at, new(at.Add(deletedKept))
	return s
}

// DeleteSecret deletes a secret, every grant of it and every share. Its path is
// free again. For 30 days it can be had back by [Vault.UndeleteSecret]; then it
// is destroyed.
func (v *Vault) DeleteSecret(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeleteSecret, resource: id}, func(o *op) error {
		row, err := o.secretAt(id, 0)
		if err != nil {
			return err
		}
		if err := o.unlink(row); err != nil {
			return err
		}
		return deletedSecrets.Insert(o.Tx, deletedRow{Secret: row, Deleted: o.now.UnixNano()})
	})
}

// unlink takes a secret from everybody who could find it.
func (o *op) unlink(r secretRow) error {
	if err := o.dropGrants(grantsBySecret.All(o.Tx, r.Key())); err != nil {
		return err
	}
	if err := dropAll(o, shares, shares.All(o.Tx, r.Key())); err != nil {
		return err
	}
	return secrets.Delete(o.Tx, r.Key())
}

// UndeleteSecret brings a deleted secret back, with its versions and without
// grants and shares. Its path must not have been taken meanwhile, which is
// [ErrExists].
func (v *Vault) UndeleteSecret(ctx context.Context, by access.Caller, id string) (s Secret, err error) {
	err = v.do(ctx, by, record{action: access.UndeleteSecret, resource: id}, func(o *op) error {
		gone, err := deletedSecrets.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		s = gone.Secret.secret()
		o.aboutSecret(gone.Secret)
		if err := o.sees(gone.Secret.Namespace); err != nil {
			return err
		}
		if err := o.placeSecret(gone.Secret); err != nil {
			return err
		}
		return deletedSecrets.Delete(o.Tx, gone.Key())
	})
	return s, err
}

// DestroySecret deletes a secret for good, whether it was deleted before or not:
// every wrapped key of its versions goes, and without them nothing opens. It
// returns how many versions there were.
func (v *Vault) DestroySecret(ctx context.Context, by access.Caller, id string) (versions int, err error) {
	err = v.do(ctx, by, record{action: access.DestroySecret, resource: id}, func(o *op) (err error) {
		versions, err = o.destroy(id)
		return err
	})
	if err != nil {
		return 0, err
	}
	if err := v.compact(ctx); err != nil {
		v.cfg.log().Error("what was destroyed is still on freed pages; compacting them is tried again", "err", err)
	}
	return versions, nil
}

func (o *op) destroy(id string) (versions int, err error) {
	row, err := o.secretAt(id, 0)
	switch {
	case err == nil:
		err = o.unlink(row)
	case isNotFound(err):
		err = o.dropDeleted(id)
	}
	if err != nil {
		return 0, err
	}
	versions, err = o.dropValues(id)
	o.record.about("versions", strconv.Itoa(versions))
	return versions, err
}

// dropDeleted deletes the row of a deleted secret.
func (o *op) dropDeleted(id string) error {
	gone, err := deletedSecrets.Get(o.Tx, store.Key(id))
	if err != nil {
		return err
	}
	o.aboutSecret(gone.Secret)
	if err := o.sees(gone.Secret.Namespace); err != nil {
		return err
	}
	return deletedSecrets.Delete(o.Tx, gone.Key())
}

// dropValues deletes every version of a secret, and a freeze of it. Their wraps
// are gone when the file was compacted.
func (o *op) dropValues(id string) (n int, err error) {
	if err := o.unfreezeSecret(id); err != nil {
		return 0, err
	}
	for r, err := range secretValues.All(o.Tx, store.Key(id)) {
		if err != nil {
			return 0, err
		}
		if err := o.dropVersion(r.Key()); err != nil {
			return 0, err
		}
		n++
	}
	return n, o.compactLater()
}

// purgeDeleted destroys secrets that were deleted long enough ago, at most n.
func (o *op) purgeDeleted(n int) (said []record, err error) {
	var old []deletedRow
	before := o.now.Add(-deletedKept).UnixNano()
	for r, err := range deletedByTime.All(o.Tx, "") {
		if err != nil {
			return nil, err
		}
		if r.Deleted > before || len(old) == n {
			break
		}
		old = append(old, r)
	}
	for _, r := range old {
		versions, err := o.dropValues(r.Secret.ID)
		if err != nil {
			return nil, err
		}
		if err := deletedSecrets.Delete(o.Tx, r.Key()); err != nil {
			return nil, err
		}
		rec := record{action: access.DestroySecret, resource: r.Secret.Path}
		rec.about(r.Secret.ID, "namespace="+r.Secret.Namespace)
		rec.about("deleted_at", nanos(r.Deleted).Format(time.RFC3339))
		rec.about("versions", strconv.Itoa(versions))
		said = append(said, rec)
	}
	return said, nil
}
