package vault

import (
	"context"
	"strings"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// DefaultNamespace always exists.
const DefaultNamespace = "default"

// namespaces keeps secrets, agents and projects of the same name apart.
var namespaces = store.Rows[namespaceRow]("namespace")

type namespaceRow struct {
	Name        string  `cbor:"1,keyasint"`
	Description *string `cbor:"2,keyasint,omitempty"`
	Created     int64   `cbor:"3,keyasint"`
}

// Key returns the name.
func (r namespaceRow) Key() store.Key { return store.Key(r.Name) }

// A Namespace keeps names apart: the same path, agent id or project name may
// stand in several.
type Namespace struct {
	Name        string
	Description *string
	Created     time.Time
}

func (r namespaceRow) namespace() Namespace {
	return Namespace{Name: r.Name, Description: r.Description, Created: nanos(r.Created)}
}

// CreateNamespace makes a namespace. The name is trimmed.
func (v *Vault) CreateNamespace(ctx context.Context, by access.Caller, name string, description *string) (n Namespace, err error) {
	name = strings.TrimSpace(name)
	if err := checkName("name", name); err != nil {
		return Namespace{}, err
	}
	if err := checkText("description", description, maxDescription); err != nil {
		return Namespace{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateNamespace, resource: name}, func(o *op) error {
		row := namespaceRow{Name: name, Description: description, Created: o.now.UnixNano()}
		n = row.namespace()
		o.record.about(name, "namespace="+name)
		if err := o.within(name); err != nil {
			return err
		}
		return namespaces.Insert(o.Tx, row)
	})
	return n, err
}

// Namespaces returns every namespace, by name.
func (v *Vault) Namespaces(ctx context.Context, by access.Caller) (all []Namespace, err error) {
	all, _, err = v.NamespacesPage(ctx, by, Page{})
	return all, err
}

// NamespacesPage returns a part of what Namespaces does, and the position to go on
// after, empty at the end. It reads no more than the part.
func (v *Vault) NamespacesPage(ctx context.Context, by access.Caller, p Page) (part []Namespace, next string, err error) {
	err = v.look(ctx, by, access.ListNamespaces, func(o *op) (err error) {
		name := func(r namespaceRow) string { return r.Name }
		rows := visible(o, namespaces.From(o.Tx, store.Key(p.After), ""), name)
		part, next, err = take(p, rows, name, namespaceRow.namespace)
		return err
	})
	return part, next, err
}

// DeleteNamespace deletes a namespace that nothing uses, else [ErrInUse]; secrets
// that are shared into it leave it. The default namespace is an
// [InvalidError].
func (v *Vault) DeleteNamespace(ctx context.Context, by access.Caller, name string) error {
	if name == DefaultNamespace {
		return invalid("name", "is the default namespace, which cannot be deleted")
	}
	return v.do(ctx, by, record{action: access.DeleteNamespace, resource: name}, func(o *op) error {
		o.record.about(name, "namespace="+name)
		if err := o.sees(name); err != nil {
			return err
		}
		if err := namespaces.Delete(o.Tx, store.Key(name)); err != nil {
			return err
		}
		used, err := o.used(name)
		if err == nil && used {
			err = ErrInUse
		}
		if err != nil {
			return err
		}
		shared, err := gather(sharesInto.All(o.Tx, store.Key(name)))
		if err != nil {
			return err
		}
		for _, s := range shared {
			if err := o.unshare(s); err != nil {
				return err
			}
		}
		return o.unfreeze(FreezeNamespace, name, name)
	})
}

// used reports whether anything lives in a namespace.
func (o *op) used(ns string) (bool, error) {
	key := store.Key(ns)
	for _, err := range secretsOf.All(o.Tx, key) {
		return err == nil, err
	}
	for _, err := range agentsOf.All(o.Tx, key) {
		return err == nil, err
	}
	for _, err := range policiesOf.All(o.Tx, key) {
		return err == nil, err
	}
	for _, err := range projects.All(o.Tx, store.Join(ns)) {
		return err == nil, err
	}
	return false, nil
}

// ensureNamespace makes a namespace on first use.
func (o *op) ensureNamespace(name string) error {
	found, err := namespaces.Has(o.Tx, store.Key(name))
	if err != nil || found {
		return err
	}
	return namespaces.Insert(o.Tx, namespaceRow{Name: name, Created: o.now.UnixNano()})
}
