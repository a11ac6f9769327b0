package vault

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// A SecretFilter picks secrets for a list. The zero value picks all there are.
type SecretFilter struct {
	// Namespace, Type and Tag are what a secret must have, unless empty.
	Namespace string
	Type      SecretType
	Tag       string
	// Prefix is what its path must begin with.
	Prefix string
	// Deleted picks from those that were deleted, in the place of the others.
	Deleted bool
	// Shared likewise picks from those that are shared into a namespace, as that
	// sees them: one for each namespace.
	Shared bool
}

func (f SecretFilter) picks(s Secret) bool {
	return (f.Namespace == "" || f.Namespace == s.Namespace) && (f.Type == "" || f.Type == s.Type) &&
		(f.Tag == "" || slices.Contains(s.Tags, f.Tag)) && strings.HasPrefix(s.Path, f.Prefix)
}

// picked yields the secrets that f picks and the caller may see.
func (o *op) picked(f SecretFilter, rows iter.Seq2[Secret, error]) iter.Seq2[Secret, error] {
	return visible(o, filter(rows, f.picks), func(s Secret) string { return s.Namespace })
}

// Secrets returns the secrets that f picks, by path, and those that are shared
// by namespace first.
func (v *Vault) Secrets(ctx context.Context, by access.Caller, f SecretFilter) (all []Secret, err error) {
	err = v.look(ctx, by, access.ListSecrets, func(o *op) error {
		return collect(&all, o.picked(f, o.listed(f)), same)
	})
	slices.SortFunc(all, f.compare)
	return all, err
}

// compare orders a list, as position does.
func (f SecretFilter) compare(a, b Secret) int {
	paths, namespaces := cmp.Compare(a.Path, b.Path), cmp.Compare(a.Namespace, b.Namespace)
	if f.Shared {
		return cmp.Or(namespaces, paths)
	}
	return cmp.Or(paths, namespaces, cmp.Compare(a.ID, b.ID))
}

// SecretsPage returns a part of what Secrets does, and the position to go on
// after, empty at the end. Without filters but the namespace it reads no more
// than the part.
func (v *Vault) SecretsPage(ctx context.Context, by access.Caller, f SecretFilter, p Page) (part []Secret, next string, err error) {
	err = v.look(ctx, by, access.ListSecrets, func(o *op) (err error) {
		part, next, err = take(p, o.picked(f, o.inOrder(f, store.Key(p.After))), f.position, same)
		return err
	})
	return part, next, err
}

// inOrder yields the secrets among which those are that f picks, in the order of
// the list, from behind a position.
func (o *op) inOrder(f SecretFilter, after store.Key) iter.Seq2[Secret, error] {
	switch {
	case f.Deleted:
		return each(deletedInOrder.From(o.Tx, after, ""), deletedRow.secret)
	case f.Shared:
		return o.shared(shareByPath.From(o.Tx, after, store.Key(f.Namespace)))
	case f.Namespace != "":
		return each(secretsByPath.From(o.Tx, after, store.Key(f.Namespace)), secretRow.secret)
	}
	return each(secretsInOrder.From(o.Tx, after, ""), secretRow.secret)
}

// position is where a secret stands in the order of inOrder.
func (f SecretFilter) position(s Secret) string {
	switch {
	case f.Deleted:
		return string(store.Join(s.Path, s.Namespace, s.ID))
	case f.Shared, f.Namespace != "":
		return string(store.Join(s.Namespace, s.Path))
	}
	return string(store.Join(s.Path, s.Namespace))
}

// listed yields the secrets among which those are that f picks.
func (o *op) listed(f SecretFilter) iter.Seq2[Secret, error] {
	ns := store.Key(f.Namespace)
	switch {
	case f.Deleted:
		return each(deletedSecrets.All(o.Tx, ""), deletedRow.secret)
	case f.Shared:
		return o.shared(sharesInto.All(o.Tx, ns))
	case ns != "":
		return each(secretsOf.All(o.Tx, ns), secretRow.secret)
	}
	return each(secrets.All(o.Tx, ""), secretRow.secret)
}
