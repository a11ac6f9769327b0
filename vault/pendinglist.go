package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

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
