package vault

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

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
