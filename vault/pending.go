package vault

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// The states of a pending grant.
const (
	grantPending  = "pending"
	grantApproved = "approved"
	grantDenied   = "denied"
)

// autoApproval is how long a decision holds.
const autoApproval = 30 * 24 * time.Hour

// maxUndecided bounds the names of one agent and project that wait.
const maxUndecided = 64

// pendings are an agent's requests that a person decides, and what was decided.
var (
	pendings       = store.Rows[pendingRow]("pending_grant")
	pendingsByPair = store.NewMulti(pendings, "pending_grant_by_agent_project", func(r pendingRow) (store.Key, bool) {
		return store.Join(r.Agent, r.Project), true
	})
	pendingsByAgent = store.NewMulti(pendings, "pending_grant_by_agent", func(r pendingRow) (store.Key, bool) {
		return store.Key(r.Agent), true
	})
	pendingsByProject = store.NewMulti(pendings, "pending_grant_by_project", func(r pendingRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project), true
	})
)

type pendingRow struct {
	ID        string `cbor:"1,keyasint"`
	Agent     string `cbor:"2,keyasint"` // row id
	AgentID   string `cbor:"3,keyasint"`
	Namespace string `cbor:"4,keyasint"`
	Project   string `cbor:"5,keyasint"`
	Items     []item `cbor:"6,keyasint,omitempty"`
	Status    string `cbor:"7,keyasint"`
	Requested int64  `cbor:"8,keyasint"`
	Decided   int64  `cbor:"9,keyasint,omitempty"`
	DecidedBy string `cbor:"10,keyasint,omitempty"`
	Until     int64  `cbor:"11,keyasint,omitempty"` // the decision holds until then
	Source    string `cbor:"12,keyasint,omitempty"`
}

// The kinds of items.
const (
	// kindMapped items have a grant, which the agent was not approved for.
	kindMapped = "mapped"
	// kindProposed items have none; approving makes it.
	kindProposed = "proposed"
)

// An item is one variable an agent asked for and the secret it would get.
type item struct {
	Variable string `cbor:"1,keyasint"`
	Path     string `cbor:"2,keyasint"`
	SecretID string `cbor:"3,keyasint"`
	Kind     string `cbor:"4,keyasint"`
	Approved bool   `cbor:"5,keyasint,omitempty"`
	Grant    string `cbor:"6,keyasint,omitempty"` // row id, if there is one
	Pointer  string `cbor:"7,keyasint,omitempty"` // of the grant, and at the end of the path
}

// target says what the variable would get, as [grantRow.target] does.
func (i item) target() string { return target(i.SecretID, i.Pointer) }

// Key returns the row id.
func (r pendingRow) Key() store.Key { return store.Key(r.ID) }

// variables returns the variables of the items that keep says, sorted.
func (r pendingRow) variables(keep func(item) bool) []string {
	names := []string{}
	for _, i := range r.Items {
		if keep(i) {
			names = append(names, i.Variable)
		}
	}
	slices.Sort(names)
	return names
}

func everyItem(item) bool       { return true }
func approvedItem(i item) bool  { return i.Approved }
func (r pendingRow) open() bool { return r.Status == grantPending }

// holds reports whether the row is an approval whose window is open.
func (r pendingRow) holds(now time.Time) bool {
	return r.Status == grantApproved && r.Until > now.UnixNano()
}

// A PendingGrant is an agent's request for secrets, and what was decided.
type PendingGrant struct {
	ID, AgentID, Project, Namespace string
	// Requested are the variables asked for, and Approved those that were
	// approved, both sorted.
	Requested, Approved []string
	// Status is "pending", "approved" or "denied".
	Status      string
	RequestedAt time.Time
	DecidedAt   *time.Time
	DecidedBy   *string
	// AutoApprovalUntil is the end of an approval's window.
	AutoApprovalUntil *time.Time
	// Source is the address the request came from.
	Source *string
	// Items say which secret each variable would get.
	Items []Proposal
}

// A Proposal is one variable of a pending grant.
type Proposal struct {
	// Name is the variable, Path the secret it would get.
	Name, Path string
	// Kind is "mapped" if a grant says so, "proposed" if it is a suggestion.
	Kind string
}

func (r pendingRow) pending() PendingGrant {
	p := PendingGrant{
		ID: r.ID, AgentID: r.AgentID, Project: r.Project, Namespace: r.Namespace,
		Requested: r.variables(everyItem), Approved: r.variables(approvedItem), Status: r.Status,
		RequestedAt: nanos(r.Requested), DecidedBy: present(r.DecidedBy), Source: present(r.Source),
		Items: []Proposal{},
	}
	if r.Decided != 0 {
		p.DecidedAt = new(nanos(r.Decided))
	}
	if r.Until != 0 {
		p.AutoApprovalUntil = new(nanos(r.Until))
	}
	for _, i := range r.Items {
		p.Items = append(p.Items, Proposal{Name: i.Variable, Path: i.Path, Kind: i.Kind})
	}
	return p
}

// PendingGrants returns every request, newest first.
func (v *Vault) PendingGrants(ctx context.Context, by access.Caller) (all []PendingGrant, err error) {
	err = v.look(ctx, by, access.ListPendingGrants, func(o *op) error {
		return collect(&all, pendings.All(o.Tx, ""), pendingRow.pending)
	})
	slices.SortFunc(all, func(a, b PendingGrant) int {
		return cmp.Or(b.RequestedAt.Compare(a.RequestedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// ApproveGrant approves a request: all of it if approved is nil, else the
// variables or paths named, every one of which must have been requested.
// Proposed secrets are granted to the project. It returns [ErrDecided] for a
// request that was decided before.
func (v *Vault) ApproveGrant(ctx context.Context, by access.Caller, id string, approved *[]string) (p PendingGrant, err error) {
	err = v.do(ctx, by, record{action: access.ApprovePendingGrant, resource: id}, func(o *op) error {
		row, err := o.undecided(id)
		if err != nil {
			return err
		}
		if err := row.tick(approved); err != nil {
			return err
		}
		if err := o.grantItems(row); err != nil {
			return err
		}
		row.Until = o.now.Add(autoApproval).UnixNano()
		row.decide(grantApproved, o)
		for _, i := range row.Items {
			decision := "left out: "
			if i.Approved {
				decision = "approved as "
			}
			o.record.about(i.Path, decision+i.Variable)
		}
		p = row.pending()
		if err := pendings.Put(o.Tx, row); err != nil {
			return err
		}
		return o.settle(row)
	})
	return p, err
}

// settle deletes the requests of the same agent and project that ask for
// nothing but what was just approved.
func (o *op) settle(approved pendingRow) error {
	granted := pendingRow{Items: slices.DeleteFunc(slices.Clone(approved.Items), func(i item) bool { return !i.Approved })}
	others, err := gather(pendingsByPair.All(o.Tx, store.Join(approved.Agent, approved.Project)))
	if err != nil {
		return err
	}
	for _, r := range others {
		if !r.open() || !granted.covers(r.Items) {
			continue
		}
		o.also = append(o.also, record{action: access.DeletePendingGrant, agent: r.AgentID, project: r.Project, resource: r.ID})
		if err := pendings.Delete(o.Tx, r.Key()); err != nil {
			return err
		}
	}
	return nil
}

// undecided returns a request that nobody has decided, and completes the
// record with whom it is about.
func (o *op) undecided(id string) (pendingRow, error) {
	row, err := pendings.Get(o.Tx, store.Key(id))
	if err != nil {
		return pendingRow{}, err
	}
	o.record.agent, o.record.project = row.AgentID, row.Project
	if !row.open() {
		return pendingRow{}, ErrDecided
	}
	// Rows share no memory with the store, but a function may run twice.
	row.Items = slices.Clone(row.Items)
	return row, nil
}

func (r *pendingRow) decide(status string, o *op) {
	r.Status, r.Decided, r.DecidedBy = status, o.now.UnixNano(), o.by.Name
}

// tick marks what is approved.
func (r *pendingRow) tick(approved *[]string) error {
	if approved == nil {
		for i := range r.Items {
			r.Items[i].Approved = true
		}
		return nil
	}
	for _, name := range *approved {
		byVariable := func(i item) bool { return i.Variable == name }
		byPath := func(i item) bool { return i.Path == name }
		// A path may read like another item's variable: the variable wins.
		if !r.tickIf(byVariable) && !r.tickIf(byPath) {
			return invalid("approved_keys", "names a key that was not requested")
		}
	}
	return nil
}

// tickIf marks the items that match, and reports whether there are any.
func (r *pendingRow) tickIf(match func(item) bool) (found bool) {
	for i := range r.Items {
		if match(r.Items[i]) {
			r.Items[i].Approved, found = true, true
		}
	}
	return found
}

// grantItems makes the grants that approved items need. What was proposed may
// have changed since: a secret that is gone is an error, so that nobody
// approves something else than they saw.
func (o *op) grantItems(p pendingRow) error {
	for _, i := range p.Items {
		if !i.Approved {
			continue
		}
		if err := o.grantItem(p, i); err != nil {
			return err
		}
	}
	return nil
}

func (o *op) grantItem(p pendingRow, i item) error {
	g, err := grantByVariable.Get(o.Tx, store.Join(p.Namespace, p.Project, i.Variable))
	if err == nil && g.target() == i.target() {
		return nil
	}
	if err == nil {
		return invalid("approved_keys", "has %s, which was granted another secret since; delete the request and let the agent ask again", i.Variable)
	}
	if !isNotFound(err) {
		return err
	}
	s, err := secrets.Get(o.Tx, store.Key(i.SecretID))
	if isNotFound(err) {
		return invalid("approved_keys", "has %s, whose secret was deleted since; delete the request and let the agent ask again", i.Variable)
	}
	if err != nil {
		return err
	}
	if i.Pointer != "" {
		return invalid("approved_keys", "has %s, whose grant was deleted since; delete the request and let the agent ask again", i.Variable)
	}
	at, err := o.place(s, p.Namespace)
	if isNotFound(err) {
		return invalid("approved_keys", "has %s, whose secret is no longer shared; delete the request and let the agent ask again", i.Variable)
	}
	if err != nil {
		return err
	}
	_, err = o.insertGrant(at, NewProjectGrant{Project: p.Project, SecretID: s.ID, EnvVar: &i.Variable})
	if errors.Is(err, store.ErrExists) {
		return invalid("approved_keys", "has %s, whose secret the project has under another variable", i.Variable)
	}
	return err
}

// DenyGrant denies a request, for good: until the row is deleted, the agent is
// refused these variables. It returns [ErrDecided] for a request that was
// decided before.
func (v *Vault) DenyGrant(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DenyPendingGrant, resource: id, status: statusDenied}, func(o *op) error {
		row, err := o.undecided(id)
		if err != nil {
			return err
		}
		row.decide(grantDenied, o)
		for _, i := range row.Items {
			o.record.about(i.Path, "denied as "+i.Variable)
		}
		if err := o.endDenied(row); err != nil {
			return err
		}
		return pendings.Put(o.Tx, row)
	})
}

// endDenied revokes the agent's token if it opens anything of what was denied:
// it may be from before, when that was approved.
func (o *op) endDenied(p pendingRow) error {
	t, err := tokens.Get(o.Tx, store.Join(p.Namespace, p.Project, p.Agent))
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, m := range t.Mappings {
		if slices.ContainsFunc(p.Items, func(i item) bool { return i.Variable == m.Variable }) {
			return o.endToken(p)
		}
	}
	return nil
}

// DeleteGrant deletes a request or a decision. Deleting an approval ends the
// token that rests on it, and the agent has to ask again.
func (v *Vault) DeleteGrant(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeletePendingGrant, resource: id}, func(o *op) error {
		row, err := pendings.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.record.agent, o.record.project = row.AgentID, row.Project
		if row.Status == grantApproved {
			if err := o.endToken(row); err != nil {
				return err
			}
		}
		return pendings.Delete(o.Tx, row.Key())
	})
}

// endToken revokes the token an approval led to.
func (o *op) endToken(p pendingRow) error {
	t, err := tokens.Get(o.Tx, store.Join(p.Namespace, p.Project, p.Agent))
	if isNotFound(err) {
		return nil
	}
	if err != nil || t.Revoked != 0 {
		return err
	}
	t.Revoked = o.now.UnixNano()
	return tokens.Put(o.Tx, t)
}

// withdraw takes a variable out of a request or decision. A denial stays: it
// is about the name, not about the grant.
func (o *op) withdraw(p pendingRow, variable string) error {
	if p.Status == grantDenied || !slices.ContainsFunc(p.Items, func(i item) bool { return i.Variable == variable }) {
		return nil
	}
	p.Items = slices.DeleteFunc(slices.Clone(p.Items), func(i item) bool { return i.Variable == variable })
	if len(p.Items) == 0 {
		return pendings.Delete(o.Tx, p.Key())
	}
	return pendings.Put(o.Tx, p)
}
