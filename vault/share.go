package vault

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// shares put secrets into further namespaces, under a path there.
var (
	shares      = store.Rows[shareRow]("secret_share").Kept()
	shareByPath = store.Unique(shares, "secret_share_by_path", func(r shareRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Path), true
	})
	sharesByForm = store.NewMulti(shares, "secret_share_by_form", func(r shareRow) (store.Key, bool) {
		return store.Join(r.Namespace, form(r.Path)), true
	})
	sharesInto = store.NewMulti(shares, "secret_share_by_namespace", func(r shareRow) (store.Key, bool) {
		return store.Key(r.Namespace), true
	})
)

type shareRow struct {
	SecretID  string `cbor:"1,keyasint"`
	Namespace string `cbor:"2,keyasint"` // into which
	Path      string `cbor:"3,keyasint"` // there
	By        string `cbor:"4,keyasint"`
	Created   int64  `cbor:"5,keyasint"`
}

// Key returns the secret's id and the namespace.
func (r shareRow) Key() store.Key { return store.Join(r.SecretID, r.Namespace) }

// A Share says that a secret stands in a further namespace.
type Share struct {
	SecretID, Namespace string
	// Path is that in the namespace, whose policies speak of it.
	Path    string
	By      string
	Created time.Time
}

func (r shareRow) share() Share {
	return Share{SecretID: r.SecretID, Namespace: r.Namespace, Path: r.Path, By: r.By, Created: nanos(r.Created)}
}

// A placed is a secret as one namespace sees it.
type placed struct {
	secretRow
	in   string // the namespace
	path string // there
}

// place returns a secret as a namespace sees it; store.ErrNotFound if it is
// neither there nor shared into it.
func (o *op) place(s secretRow, ns string) (placed, error) {
	if s.Namespace == ns {
		return placed{s, ns, s.Path}, nil
	}
	share, err := shares.Get(o.Tx, store.Join(s.ID, ns))
	return placed{s, ns, share.Path}, err
}

// byForm returns the secrets that a namespace has under paths of one form, by
// path.
func (o *op) byForm(ns, form string) ([]placed, error) {
	var found []placed
	for s, err := range secretsByForm.All(o.Tx, store.Join(ns, form)) {
		if err != nil {
			return nil, err
		}
		found = append(found, placed{s, ns, s.Path})
	}
	for share, err := range sharesByForm.All(o.Tx, store.Join(ns, form)) {
		if err != nil {
			return nil, err
		}
		s, err := secrets.Get(o.Tx, store.Key(share.SecretID))
		if err != nil {
			return nil, err
		}
		found = append(found, placed{s, ns, share.Path})
	}
	slices.SortFunc(found, func(a, b placed) int { return cmp.Compare(a.path, b.path) })
	return found, nil
}

// at returns the secret that a namespace has under a path; store.ErrNotFound if
// there is none.
func (o *op) at(ns, path string) (placed, error) {
	s, err := secretsByPath.Get(o.Tx, store.Join(ns, path))
	if isNotFound(err) {
		var share shareRow
		if share, err = shareByPath.Get(o.Tx, store.Join(ns, path)); err == nil {
			s, err = secrets.Get(o.Tx, store.Key(share.SecretID))
		}
	}
	return placed{s, ns, path}, err
}

// shared yields what shares lead to, as their namespaces see it.
func (o *op) shared(rows iter.Seq2[shareRow, error]) iter.Seq2[Secret, error] {
	return func(yield func(Secret, error) bool) {
		for r, err := range rows {
			var row secretRow
			if err == nil {
				row, err = secrets.Get(o.Tx, store.Key(r.SecretID))
			}
			s := row.secret()
			s.Owner, s.Namespace, s.Path = s.Namespace, r.Namespace, r.Path
			if !yield(s, err) {
				return
			}
		}
	}
}

// noShareAt returns [ErrExists] if a shared secret has a path.
func (o *op) noShareAt(ns, path string) error {
	_, err := shareByPath.Get(o.Tx, store.Join(ns, path))
	if isNotFound(err) {
		return nil
	}
	return cmp.Or(err, ErrExists)
}

// noSecretAt returns [ErrExists] if a namespace's own secret has a path.
func (o *op) noSecretAt(ns, path string) error {
	_, err := secretsByPath.Get(o.Tx, store.Join(ns, path))
	if isNotFound(err) {
		return nil
	}
	return cmp.Or(err, ErrExists)
}

// ShareSecret puts a secret into a further namespace, under path or, if that is
// empty, its own. The namespace must exist. A path that is taken there, or a
// secret that is there already, is [ErrExists].
func (v *Vault) ShareSecret(ctx context.Context, by access.Caller, id, namespace, path string) (s Share, err error) {
	if err := checkName("namespace", namespace); err != nil {
		return Share{}, err
	}
	if path != "" {
		if err := checkPath("key_path", path); err != nil {
			return Share{}, err
		}
	}
	err = v.do(ctx, by, record{action: access.ShareSecret, resource: id}, func(o *op) error {
		secret, err := o.secretAt(id, 0)
		if err != nil {
			return err
		}
		row := shareRow{SecretID: id, Namespace: namespace, Path: cmp.Or(path, secret.Path), By: o.by.Name, Created: o.now.UnixNano()}
		s = row.share()
		o.record.about(row.Path, "shared into="+row.Namespace)
		if err := o.within(row.Namespace); err != nil {
			return err
		}
		if row.Namespace == secret.Namespace {
			return invalid("namespace", "is the secret's own")
		}
		found, err := namespaces.Has(o.Tx, store.Key(namespace))
		if err != nil {
			return err
		}
		if !found {
			return invalid("namespace", "does not exist")
		}
		if err := o.noSecretAt(row.Namespace, row.Path); err != nil {
			return err
		}
		return shares.Insert(o.Tx, row)
	})
	return s, err
}

// SecretShares returns the namespaces a secret is shared into, by name.
func (v *Vault) SecretShares(ctx context.Context, by access.Caller, id string) (all []Share, err error) {
	err = v.look(ctx, by, access.ListSecretShares, func(o *op) error {
		if _, err := o.secretAt(id, 0); err != nil {
			return err
		}
		return collect(&all, shares.All(o.Tx, store.Key(id)), shareRow.share)
	})
	return all, err
}

// UnshareSecret takes a secret out of a namespace it was shared into, at once,
// with the grants of it there. Whoever keeps either of the two namespaces may.
func (v *Vault) UnshareSecret(ctx context.Context, by access.Caller, id, namespace string) error {
	if err := checkName("namespace", namespace); err != nil {
		return ErrNotFound
	}
	return v.do(ctx, by, record{action: access.UnshareSecret, resource: id}, func(o *op) error {
		secret, err := secrets.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.aboutSecret(secret)
		if o.within(secret.Namespace) != nil {
			if err := o.sees(namespace); err != nil {
				return err
			}
		}
		row, err := shares.Get(o.Tx, store.Join(id, namespace))
		if err != nil {
			return err
		}
		return o.unshare(row)
	})
}

// unshare deletes a share and what hangs on it.
func (o *op) unshare(r shareRow) error {
	o.record.about(r.Path, "no longer shared into="+r.Namespace)
	there := filter(grantsBySecret.All(o.Tx, store.Key(r.SecretID)), func(g grantRow) bool { return g.Namespace == r.Namespace })
	if err := o.dropGrants(there); err != nil {
		return err
	}
	return shares.Delete(o.Tx, r.Key())
}
