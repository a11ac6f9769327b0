package vault

import (
	"iter"
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
