package vault

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// The states of a pending grant.
const (
	grantPending  = "pending"
	grantApproved = "approved"
	grantDenied   = "denied"
	grantExpired  = "expired"
	// grantDeleted is what those who wait are told of a row that is gone.
	grantDeleted = "deleted"
)

// How many days an approval holds: if nothing is said, and at most.
const (
	approvalDays    = 30
	maxApprovalDays = 365
)

// undecidedFor is how long a request waits, and how long it is shown after
// that.
const undecidedFor = 30 * day

// maxUndecided bounds the names of one agent and project that wait.
const maxUndecided = 64

// pendings are an agent's requests that a person decides, and what was decided.
var (
	pendings        = store.Rows[pendingRow]("pending_grant")
	pendingsInOrder = store.Unique(pendings, "pending_grant_in_order", func(r pendingRow) (store.Key, bool) {
		return newestFirst(r.Requested, r.ID), true
	})
	pendingsByPair = store.NewMulti(pendings, "pending_grant_by_agent_project", func(r pendingRow) (store.Key, bool) {
		return store.Join(r.Agent, r.Project), true
	})
	pendingsByAgent = store.NewMulti(pendings, "pending_grant_by_agent", func(r pendingRow) (store.Key, bool) {
		return store.Key(r.Agent), true
	})
	pendingsByProject = store.NewMulti(pendings, "pending_grant_by_project", func(r pendingRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project), true
	})
	pendingsWaiting = store.NewMulti(pendings, "pending_grant_waiting", func(r pendingRow) (store.Key, bool) {
		return store.Key(r.Status), r.open()
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
	Command   []byte `cbor:"13,keyasint,omitempty"` // its one form, if the agent said it
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
	Asked    string `cbor:"8,keyasint,omitempty"` // the path that was asked for, if it got another
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
	// Status is "pending", "approved", "denied" or "expired".
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
	// Command is what it is for, as the daemon said: the first that asked; nil if it
	// did not, or if that is too long to be kept.
	Command *pinned.Command
	// Pin tells that it is a command that waits, and no request for variables.
	Pin bool
}

// A Proposal is one variable of a pending grant.
type Proposal struct {
	// Name is the variable, Path the secret it would get.
	Name, Path string
	// Kind is "mapped" if a grant says so, "proposed" if it is a suggestion.
	Kind string
	// Asked is the path that was asked for, where the decision gave another.
	Asked string
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
	if c, err := pinned.ParseCommand(r.Command); err == nil {
		p.Command = &c
	}
	for _, i := range r.Items {
		p.Items = append(p.Items, Proposal{Name: i.Variable, Path: i.Path, Kind: i.Kind, Asked: i.Asked})
	}
	return p
}

// PendingGrants returns every request, newest first.
func (v *Vault) PendingGrants(ctx context.Context, by access.Caller) (all []PendingGrant, err error) {
	err = v.look(ctx, by, access.ListPendingGrants, func(o *op) error {
		return collectSeen(o, &all, pendings.All(o.Tx, ""), func(r pendingRow) string { return r.Namespace }, pendingRow.pending)
	})
	slices.SortFunc(all, func(a, b PendingGrant) int {
		return cmp.Or(b.RequestedAt.Compare(a.RequestedAt), cmp.Compare(a.ID, b.ID))
	})
	return all, err
}

// PendingGrantsPage returns a part of what PendingGrants does, or of those that
// have a status, and the position to go on after, empty at the end. Without a
// status it reads no more than the part.
func (v *Vault) PendingGrantsPage(ctx context.Context, by access.Caller, status string, p Page) (part []PendingGrant, next string, err error) {
	err = v.look(ctx, by, access.ListPendingGrants, func(o *op) error {
		o.anywhere()
		rows, n, err := ordered(o, pendingsInOrder, "", p, func(r pendingRow) bool {
			return o.by.Within(r.Namespace) && (status == "" || r.pending().Status == status)
		})
		part, next = convert(rows, pendingRow.pending), n
		return err
	})
	return part, next, err
}

// An Approval says what is approved of a request. The zero value approves all
// of it, for 30 days.
type Approval struct {
	// Keys are variables or paths that were requested; nil means all.
	Keys *[]string
	// Remap gives variables other secrets than was proposed, by id or by path.
	Remap map[string]string
	// Days is how many days the decision holds, 1 to 365; 0 means 30.
	Days int
	// Pin approves the command that the request shows, and has the project ask for
	// approved commands from then on.
	Pin bool
}

func (a Approval) validate() error {
	if a.Days < 0 || a.Days > maxApprovalDays {
		return invalid("auto_approval_days", "must be 1 to %d", maxApprovalDays)
	}
	return nil
}

func (a Approval) window() time.Duration {
	return time.Duration(cmp.Or(a.Days, approvalDays)) * day
}

// ApproveGrant approves a request or a part of it. Keys that were not
// requested, and secrets that the agent may not have, are an [InvalidError].
// Proposed secrets, and those given in the place of others, are granted to the
// project. It returns [ErrDecided] for a request that was decided before. To pin is an
// [InvalidError] where the request shows no command.
func (v *Vault) ApproveGrant(ctx context.Context, by access.Caller, id string, a Approval) (p PendingGrant, err error) {
	if err := a.validate(); err != nil {
		return PendingGrant{}, err
	}
	err = v.do(ctx, by, record{action: access.ApprovePendingGrant, resource: id}, func(o *op) error {
		row, err := o.undecided(id)
		if err != nil {
			return err
		}
		if err := row.tick(a.Keys); err != nil {
			return err
		}
		if err := o.remap(&row, a.Remap); err != nil {
			return err
		}
		if err := o.grantItems(row); err != nil {
			return err
		}
		row.Until = o.now.Add(a.window()).UnixNano()
		row.decide(grantApproved, o)
		o.aboutDecision(row)
		p = row.pending()
		if err := pendings.Put(o.Tx, row); err != nil {
			return err
		}
		o.tellPending(row, grantApproved)
		if a.Pin {
			if err := o.pinPending(row); err != nil {
				return err
			}
		}
		return o.settle(row)
	})
	return p, err
}

// pinPending approves the command of a request, and no other one from then on.
func (o *op) pinPending(p pendingRow) error {
	c, err := pinned.ParseCommand(p.Command)
	if err != nil {
		return invalid("pin", "needs a command: the agent's daemon did not say what it runs, or it is too long to be shown")
	}
	row, err := pinsByCommand.Get(o.Tx, store.Join(p.Namespace, p.Project, c.Digest()))
	if isNotFound(err) {
		row, err = pinRow{
			ID: uuid.NewString(), Namespace: p.Namespace, Project: p.Project, Digest: c.Digest(), Command: p.Command,
			Agent: p.Agent, AgentID: p.AgentID, First: p.Requested, Last: p.Requested, Source: p.Source,
		}, nil
	}
	if err != nil {
		return err
	}
	o.record.about(row.ID, "pinned")
	if _, err := o.approvePin(row, PinChange{}); err != nil {
		return err
	}
	settings, err := o.settings(p.Namespace, p.Project)
	if err != nil {
		return err
	}
	if err := o.changeSettings(&settings, ProjectChange{Commands: new(CommandsEnforce)}); err != nil {
		return err
	}
	return projectSettings.Put(o.Tx, settings)
}

// aboutDecision says in the record what became of each item.
func (o *op) aboutDecision(p pendingRow) {
	for _, i := range p.Items {
		decision := "left out: " + i.Variable
		if i.Approved {
			decision = "approved as " + i.Variable
		}
		if i.Asked != "" {
			decision += ", in place of " + i.Asked
		}
		o.record.about(i.Path, decision)
	}
	o.record.about(nanos(p.Until).UTC().Format(time.DateTime), "until")
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
		if err := o.deletePending(r); err != nil {
			return err
		}
	}
	return nil
}

// deletePending deletes a row, and tells those who wait for it.
func (o *op) deletePending(r pendingRow) error {
	o.tellPending(r, grantDeleted)
	return pendings.Delete(o.Tx, r.Key())
}

// dropPendings deletes requests and decisions.
func (o *op) dropPendings(rows iter.Seq2[pendingRow, error]) error {
	all, err := gather(rows)
	if err != nil {
		return err
	}
	for _, r := range all {
		if err := o.deletePending(r); err != nil {
			return err
		}
	}
	return nil
}

// identify says in a record whom a request is from, and what it is about.
func (r pendingRow) identify(rec *record) {
	rec.agent, rec.project = r.AgentID, r.Project
	rec.about(r.ID, "namespace="+r.Namespace)
}

// undecided returns a request that nobody has decided, and completes the
// record with whom it is about.
func (o *op) undecided(id string) (pendingRow, error) {
	row, err := pendings.Get(o.Tx, store.Key(id))
	if err != nil {
		return pendingRow{}, err
	}
	row.identify(&o.record)
	if err := o.sees(row.Namespace); err != nil {
		return pendingRow{}, err
	}
	// Where the house was not kept for a while, what is over is not marked yet.
	if !row.open() || row.old(o) {
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
		o.tellPending(row, grantDenied)
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
		row.identify(&o.record)
		if err := o.sees(row.Namespace); err != nil {
			return err
		}
		if row.Status == grantApproved {
			if err := o.endToken(row); err != nil {
				return err
			}
		}
		return o.deletePending(row)
	})
}

// endToken revokes the token an approval led to.
func (o *op) endToken(p pendingRow) error {
	t, err := tokens.Get(o.Tx, store.Join(p.Namespace, p.Project, p.Agent))
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return o.revokeToken(t)
}

// withdraw takes a variable out of a request or decision. A denial stays: it
// is about the name, not about the grant.
func (o *op) withdraw(p pendingRow, variable string) error {
	if p.Status == grantDenied || !slices.ContainsFunc(p.Items, func(i item) bool { return i.Variable == variable }) {
		return nil
	}
	p.Items = slices.DeleteFunc(slices.Clone(p.Items), func(i item) bool { return i.Variable == variable })
	if len(p.Items) == 0 {
		return o.deletePending(p)
	}
	return pendings.Put(o.Tx, p)
}

// old reports whether it is too late to decide a request.
func (r pendingRow) old(o *op) bool { return r.Requested < o.now.Add(-undecidedFor).UnixNano() }

// expirePendings ends at most n of the requests that nobody decided in time.
func (o *op) expirePendings(n int) (said []record, err error) {
	old, err := atMost(n, pendingsWaiting.All(o.Tx, store.Key(grantPending)), func(r pendingRow) bool { return r.old(o) })
	if err != nil {
		return nil, err
	}
	for _, r := range old {
		r.decide(grantExpired, o)
		if err := pendings.Put(o.Tx, r); err != nil {
			return nil, err
		}
		o.tellPending(r, grantExpired)
		rec := record{action: access.ExpirePendingGrant, resource: r.ID, status: statusExpired}
		r.identify(&rec)
		said = append(said, rec)
	}
	return said, nil
}

// purgePendings deletes at most n requests that expired a while ago.
func (o *op) purgePendings(n int) (int, error) {
	before := o.now.Add(-undecidedFor).UnixNano()
	return dropAtMost(o, n, pendings, func(r pendingRow) bool { return r.Status == grantExpired && r.Decided < before })
}
