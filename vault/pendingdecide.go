package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

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
