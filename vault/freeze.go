package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A FreezeKind says what sort of thing is cut off.
type FreezeKind string

// What can be frozen.
const (
	// FreezeAgent cuts an agent off: it is refused everywhere.
	FreezeAgent FreezeKind = "agent"
	// FreezeProject ends what a project's tokens open, until it is unfrozen.
	FreezeProject FreezeKind = "project"
	// FreezeSecret withholds a secret from everybody but administrators.
	FreezeSecret FreezeKind = "secret"
	// FreezeNamespace freezes every agent, project and secret of a namespace.
	FreezeNamespace FreezeKind = "namespace"
)

// freezes is what is cut off.
var freezes = store.Rows[freezeRow]("freeze").Kept()

type freezeRow struct {
	Kind      FreezeKind `cbor:"1,keyasint"`
	Namespace string     `cbor:"2,keyasint"` // where it lives
	ID        string     `cbor:"3,keyasint"` // row id of an agent or secret, name of the others
	Name      string     `cbor:"4,keyasint"`
	Reason    string     `cbor:"5,keyasint,omitempty"`
	By        string     `cbor:"6,keyasint"`
	At        int64      `cbor:"7,keyasint"`
}

// Key returns kind, namespace and id.
func (r freezeRow) Key() store.Key { return store.Join(string(r.Kind), r.Namespace, r.ID) }

// A Freeze is something that is cut off.
type Freeze struct {
	Kind FreezeKind
	// Namespace is where it lives; of a namespace, its own name.
	Namespace string
	// ID is the row id of an agent or a secret, and the name of the others.
	ID string
	// Name is what people call it: an agent id, a path, a name.
	Name string
	// Reason is what was said, empty if nothing was.
	Reason string
	By     string
	At     time.Time
}

func (r freezeRow) freeze() Freeze {
	return Freeze{
		Kind: r.Kind, Namespace: r.Namespace, ID: r.ID, Name: r.Name, Reason: r.Reason, By: r.By, At: nanos(r.At),
	}
}

// A FreezeTarget names what to freeze or unfreeze, by its name or its id.
type FreezeTarget struct {
	Kind FreezeKind
	// Name is an agent id, a path, or the name of a project or namespace.
	Name string
	// ID is the row id of an agent or a secret, in place of the name.
	ID string
	// Namespace is where the name stands. Without one, a name that stands in
	// several is [ErrAmbiguous].
	Namespace string
}

func (t FreezeTarget) validate() error {
	kinds := []FreezeKind{FreezeAgent, FreezeProject, FreezeSecret, FreezeNamespace}
	byID := t.Kind == FreezeAgent || t.Kind == FreezeSecret
	switch {
	case !slices.Contains(kinds, t.Kind):
		return invalid("kind", "must be agent, project, secret or namespace")
	case t.ID != "" && !byID:
		return invalid("id", "is for agents and secrets; send name")
	case (t.Name == "") == (t.ID == ""):
		return invalid("name", "must be there, or id in its place")
	case t.Namespace != "":
		if err := checkName("namespace", t.Namespace); err != nil {
			return err
		}
	}
	return cmp.Or(checkLine("name", &t.Name, maxVariable), checkID("id", t.ID))
}

// maxReason bounds what is said about a freeze.
const maxReason = 512

// Freeze cuts something off, at once, and reports whether it was already. A
// thing that is not there is [ErrNotFound]. reason may be nil.
func (v *Vault) Freeze(ctx context.Context, by access.Caller, t FreezeTarget, reason *string) (f Freeze, already bool, err error) {
	if err := cmp.Or(t.validate(), checkLine("reason", reason, maxReason)); err != nil {
		return Freeze{}, false, err
	}
	err = v.do(ctx, by, record{action: access.Freeze, resource: cmp.Or(t.Name, t.ID)}, func(o *op) error {
		row, err := o.target(t)
		if err != nil {
			return err
		}
		if err := o.sees(row.Namespace); err != nil {
			return err
		}
		row.Reason, row.By, row.At = orEmpty(reason), o.by.Name, o.now.UnixNano()
		row.identify(&o.record)
		f, already, err = o.freeze(row)
		return err
	})
	return f, already, err
}

// identify says in a record what was frozen.
func (r freezeRow) identify(rec *record) {
	rec.resource = r.Name
	switch r.Kind {
	case FreezeAgent:
		rec.agent = r.Name
	case FreezeProject:
		rec.project = r.Name
	}
	rec.about(r.ID, string(r.Kind)+" namespace="+r.Namespace)
	if rec.reason = r.Reason; r.Reason != "" {
		rec.about(r.Reason, "reason")
	}
}

// freeze keeps a row, unless there is one, and tells whom it is about.
func (o *op) freeze(r freezeRow) (f Freeze, already bool, err error) {
	old, err := freezes.Get(o.Tx, r.Key())
	if err == nil {
		return old.freeze(), true, nil
	}
	if !isNotFound(err) {
		return Freeze{}, false, err
	}
	if err := o.tellFrozen(r, EventFreeze); err != nil {
		return Freeze{}, false, err
	}
	return r.freeze(), false, freezes.Insert(o.Tx, r)
}

// freezeAgent cuts an agent off because of what it did. It is recorded beside
// the operation's own entry.
func (o *op) freezeAgent(a agentRow, reason string) error {
	r := freezeRow{
		Kind: FreezeAgent, Namespace: a.Namespace, ID: a.ID, Name: a.AgentID,
		Reason: reason, By: access.TheSystem().Name, At: o.now.UnixNano(),
	}
	_, already, err := o.freeze(r)
	if err == nil && !already {
		rec := record{action: access.Freeze}
		r.identify(&rec)
		o.also = append(o.also, rec)
	}
	return err
}

// target finds what a target means, as a row to be kept.
func (o *op) target(t FreezeTarget) (freezeRow, error) {
	switch t.Kind {
	case FreezeAgent:
		a, err := o.targetAgent(t)
		return freezeRow{Kind: t.Kind, Namespace: a.Namespace, ID: a.ID, Name: a.AgentID}, err
	case FreezeSecret:
		s, err := o.targetSecret(t)
		return freezeRow{Kind: t.Kind, Namespace: s.Namespace, ID: s.ID, Name: s.Path}, err
	case FreezeProject:
		ns, err := o.projectIn(t.Namespace, t.Name)
		return freezeRow{Kind: t.Kind, Namespace: ns, ID: t.Name, Name: t.Name}, err
	}
	n, err := namespaces.Get(o.Tx, store.Key(t.Name))
	return freezeRow{Kind: t.Kind, Namespace: n.Name, ID: n.Name, Name: n.Name}, err
}

func (o *op) targetAgent(t FreezeTarget) (agentRow, error) {
	if t.ID != "" {
		return agents.Get(o.Tx, store.Key(t.ID))
	}
	return o.agent(t.Namespace, t.Name)
}

func (o *op) targetSecret(t FreezeTarget) (secretRow, error) {
	if t.ID != "" {
		return secrets.Get(o.Tx, store.Key(t.ID))
	}
	if !proof.ValidPath(t.Name) {
		return secretRow{}, ErrNotFound
	}
	if t.Namespace != "" {
		return secretsByPath.Get(o.Tx, store.Join(t.Namespace, t.Name))
	}
	var found []secretRow
	for n, err := range visible(o, namespaces.All(o.Tx, ""), func(r namespaceRow) string { return r.Name }) {
		if err != nil {
			return secretRow{}, err
		}
		s, err := secretsByPath.Get(o.Tx, store.Join(n.Name, t.Name))
		if err == nil {
			found = append(found, s)
		} else if !isNotFound(err) {
			return secretRow{}, err
		}
	}
	return single(found)
}

// projectIn returns the namespace of a project that has a token or a grant.
func (o *op) projectIn(namespace, name string) (string, error) {
	if !proof.ValidName(name) {
		return "", ErrNotFound
	}
	p, err := o.project(namespace, name)
	if err == nil || !isNotFound(err) && !errors.Is(err, ErrNotFound) {
		return p.Namespace, err
	}
	var found []string
	for g, err := range visible(o, o.grantsOf(name), func(r grantRow) string { return r.Namespace }) {
		if err != nil {
			return "", err
		}
		if (namespace == "" || g.Namespace == namespace) && !slices.Contains(found, g.Namespace) {
			found = append(found, g.Namespace)
		}
	}
	return single(found)
}

// Unfreeze lets something in again, also what a honey secret froze. What is
// not frozen is [ErrNotFound].
func (v *Vault) Unfreeze(ctx context.Context, by access.Caller, t FreezeTarget) (f Freeze, err error) {
	if err := t.validate(); err != nil {
		return Freeze{}, err
	}
	err = v.do(ctx, by, record{action: access.Unfreeze, resource: cmp.Or(t.Name, t.ID)}, func(o *op) error {
		row, err := o.frozenAs(t)
		if err != nil {
			return err
		}
		row.identify(&o.record)
		f = row.freeze()
		if err := o.tellFrozen(row, EventUnfreeze); err != nil {
			return err
		}
		return freezes.Delete(o.Tx, row.Key())
	})
	return f, err
}

// frozenAs finds the row of what is frozen. It does not ask whether the thing
// itself is still there.
func (o *op) frozenAs(t FreezeTarget) (freezeRow, error) {
	var found []freezeRow
	for r, err := range visible(o, freezes.All(o.Tx, store.Join(string(t.Kind))), func(r freezeRow) string { return r.Namespace }) {
		if err != nil {
			return freezeRow{}, err
		}
		if (t.Namespace == "" || r.Namespace == t.Namespace) && (t.ID == "" && r.Name == t.Name || t.ID != "" && r.ID == t.ID) {
			found = append(found, r)
		}
	}
	return single(found)
}

// Freezes returns what is frozen, newest first.
func (v *Vault) Freezes(ctx context.Context, by access.Caller) (all []Freeze, err error) {
	err = v.look(ctx, by, access.ListFreezes, func(o *op) error {
		return collectSeen(o, &all, freezes.All(o.Tx, ""), func(r freezeRow) string { return r.Namespace }, freezeRow.freeze)
	})
	slices.SortFunc(all, func(a, b Freeze) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Namespace, b.Namespace))
	})
	return all, err
}

// errFrozen is ErrUnauthorized for whoever asks; the audit trail knows better.
var errFrozen = fmt.Errorf("%w: frozen", ErrUnauthorized)

// isFrozen reports whether a thing, or the namespace it lives in, is cut off.
func (o *op) isFrozen(kind FreezeKind, namespace, id string) (bool, error) {
	frozen, err := freezes.Has(o.Tx, freezeRow{Kind: kind, Namespace: namespace, ID: id}.Key())
	if err != nil || frozen {
		return frozen, err
	}
	return freezes.Has(o.Tx, freezeRow{Kind: FreezeNamespace, Namespace: namespace, ID: namespace}.Key())
}

// thawed returns errFrozen for an agent that is cut off.
func (o *op) thawed(a agentRow) error {
	frozen, err := o.isFrozen(FreezeAgent, a.Namespace, a.ID)
	if err == nil && frozen {
		err = errFrozen
	}
	return err
}

// unfreeze forgets the freeze of a thing that goes away.
func (o *op) unfreeze(kind FreezeKind, namespace, id string) error {
	err := freezes.Delete(o.Tx, freezeRow{Kind: kind, Namespace: namespace, ID: id}.Key())
	if isNotFound(err) {
		return nil
	}
	return err
}

// unfreezeSecret forgets the freeze of a secret that is destroyed.
func (o *op) unfreezeSecret(id string) error {
	for r, err := range freezes.All(o.Tx, store.Key(FreezeSecret)) {
		if err != nil {
			return err
		}
		if r.ID == id {
			return freezes.Delete(o.Tx, r.Key())
		}
	}
	return nil
}
