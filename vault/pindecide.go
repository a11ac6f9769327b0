package vault

import (
	"cmp"
	"context"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// PinsPage returns a part of the commands of a project, newest first, and the
// position to go on after, empty at the end. The namespace is found as by
// [Vault.ProjectSettings].
func (v *Vault) PinsPage(ctx context.Context, by access.Caller, namespace, project string, p Page) (part []Pin, next string, err error) {
	if err := checkName("project_name", project); err != nil {
		return nil, "", err
	}
	err = v.look(ctx, by, access.ListPins, func(o *op) error {
		s, err := o.settings(namespace, project)
		if err != nil {
			return err
		}
		if err := o.within(s.Namespace); err != nil {
			return err
		}
		rows, n, err := ordered(o, pinsInOrder, store.Join(s.Namespace, project), p, func(pinRow) bool { return true })
		if err != nil {
			return err
		}
		part, err = convertPins(rows)
		next = n
		return err
	})
	return part, next, err
}

// CreatePin allows commands of a project, which need not exist yet, before anybody
// asks. The namespace is found as by [Vault.ProjectSettings]. What cannot be a pin is
// an [*InvalidError]; beyond 256 it is [ErrTooMany].
func (v *Vault) CreatePin(ctx context.Context, by access.Caller, namespace, project string, allowed pinned.Pin) (p Pin, err error) {
	if err := checkName("project_name", project); err != nil {
		return Pin{}, err
	}
	if err := allowed.Validate(); err != nil {
		return Pin{}, invalid("pin", "%v", err)
	}
	err = v.do(ctx, by, record{action: access.CreatePin, project: project}, func(o *op) error {
		s, err := o.settings(namespace, project)
		if err != nil {
			return err
		}
		if err := o.within(s.Namespace); err != nil {
			return err
		}
		row := pinRow{ID: uuid.NewString(), Namespace: s.Namespace, Project: project, First: o.now.UnixNano(), Last: o.now.UnixNano()}
		row.identify(&o.record)
		if err := o.ensureNamespace(s.Namespace); err != nil {
			return err
		}
		p, err = o.allow(row, allowed)
		return err
	})
	return p, err
}

// A PinChange says in what a pin differs from the command that is approved; what is
// nil does not.
type PinChange struct {
	// Args and Dirs are patterns, Env names or beginnings of names: see
	// [pinned.Pin]. Files of arguments that the patterns do not name one by one are
	// not looked at any more.
	Args, Dirs, Env *[]string
	// Sealed is [pinned.Pin].Sealed.
	Sealed bool
}

// of returns the pin that allows a command, and more.
func (c PinChange) of(command pinned.Command) pinned.Pin {
	p := pinned.Of(command)
	if c.Args != nil {
		p = p.WithArgs(*c.Args)
	}
	if c.Dirs != nil {
		p = p.In(*c.Dirs...)
	}
	if c.Env != nil {
		p.Env = *c.Env
	}
	p.Sealed = c.Sealed
	return p
}

// ApprovePin allows a command that was learned, asked for, or decided on before, and
// what the change adds. A pin of another project is [ErrNotFound]; one that somebody
// made, and what would not allow the command itself, an [*InvalidError]; beyond 256 it
// is [ErrTooMany].
func (v *Vault) ApprovePin(ctx context.Context, by access.Caller, project, id string, c PinChange) (p Pin, err error) {
	err = v.do(ctx, by, record{action: access.ApprovePin, project: project, resource: id}, func(o *op) error {
		row, err := o.pin(project, id)
		if err != nil {
			return err
		}
		p, err = o.approvePin(row, c)
		return err
	})
	return p, err
}

// approvePin allows the command of a row.
func (o *op) approvePin(row pinRow, c PinChange) (Pin, error) {
	if len(row.Command) == 0 {
		return Pin{}, invalid("pin", "was made by hand, and is approved: remove it, and make another")
	}
	command, err := pinned.ParseCommand(row.Command)
	if err != nil {
		return Pin{}, err
	}
	allowed := c.of(command)
	if err := allowed.Validate(); err != nil {
		return Pin{}, invalid("pin", "%v", err)
	}
	rows, err := o.pinsOf(row.Namespace, row.Project)
	if err != nil {
		return Pin{}, err
	}
	if id, err := denial(rows, command); err != nil || id != "" && id != row.ID {
		return Pin{}, cmp.Or(err, invalid("pin", "is denied by pin %s, which holds in every directory: remove that before", id))
	}
	if ok, why := allowed.Allows(command); !ok {
		return Pin{}, invalid("pin", "does not allow the command itself: %s", why)
	}
	return o.allow(row, allowed)
}

// allow approves a row, and lets what waits for nothing but that go on.
func (o *op) allow(row pinRow, allowed pinned.Pin) (Pin, error) {
	rows, err := o.pinsOf(row.Namespace, row.Project)
	if err != nil {
		return Pin{}, err
	}
	if decided(rows) >= maxDecidedPins && (row.waits() || row.Status == "") {
		return Pin{}, ErrTooMany
	}
	row.Status, row.Pin = pinApproved, allowed.Encode()
	row.Decided, row.DecidedBy = o.now.UnixNano(), o.by.Name
	for _, weakness := range allowed.Weakness() {
		o.record.about(row.ID, "weak: "+weakness)
	}
	o.tellPin(row, grantApproved)
	allows := func(c pinned.Command) bool { ok, _ := allowed.Allows(c); return ok }
	if err := o.settlePins(rows, row.ID, allows, grantApproved); err != nil {
		return Pin{}, err
	}
	if err := pins.Put(o.Tx, row); err != nil {
		return Pin{}, err
	}
	return row.pin()
}

// settlePins deletes the commands that nobody decided on and that a decision covers, which
// was just made on the pin with the id.
func (o *op) settlePins(rows []pinRow, id string, covers func(pinned.Command) bool, status string) error {
	var covered []pinRow
	for _, r := range rows {
		if r.ID == id || !r.waits() {
			continue
		}
		c, err := pinned.ParseCommand(r.Command)
		if err != nil {
			return err
		}
		if !covers(c) {
			continue
		}
		covered = append(covered, r)
		rec := record{action: access.DeletePin}
		r.identify(&rec)
		o.also = append(o.also, rec)
	}
	return o.dropPins(covered, status)
}

// pin finds a pin by its id, and completes the record with what it is about.
func (o *op) pin(project, id string) (pinRow, error) {
	row, err := pinsByID.Get(o.Tx, store.Key(id))
	if err != nil {
		return pinRow{}, err
	}
	if row.Project != project {
		return pinRow{}, ErrNotFound
	}
	if err := o.sees(row.Namespace); err != nil {
		return pinRow{}, err
	}
	row.identify(&o.record)
	return row, nil
}

// DenyPin refuses a command until the pin is deleted, without asking anybody again: the
// program with these arguments, in whatever directory, and whatever other pins allow
// ([pinned.Command.Repeats]).
func (v *Vault) DenyPin(ctx context.Context, by access.Caller, project, id string) error {
	return v.do(ctx, by, record{action: access.DenyPin, project: project, resource: id, status: statusDenied}, func(o *op) error {
		row, err := o.pin(project, id)
		if err != nil {
			return err
		}
		if len(row.Command) == 0 {
			return invalid("pin", "was made by hand: remove it")
		}
		rows, err := o.pinsOf(row.Namespace, row.Project)
		if err != nil {
			return err
		}
		if row.waits() && decided(rows) >= maxDecidedPins {
			return ErrTooMany
		}
		row.Status, row.Pin = pinDenied, nil
		row.Decided, row.DecidedBy = o.now.UnixNano(), o.by.Name
		o.tellPin(row, grantDenied)
		denied, err := pinned.ParseCommand(row.Command)
		if err != nil {
			return err
		}
		repeats := func(c pinned.Command) bool { return c.Repeats(denied) }
		if err := o.settlePins(rows, row.ID, repeats, grantDenied); err != nil {
			return err
		}
		return pins.Put(o.Tx, row)
	})
}

// DeletePin forgets a command, and what was decided on it.
func (v *Vault) DeletePin(ctx context.Context, by access.Caller, project, id string) error {
	return v.do(ctx, by, record{action: access.DeletePin, project: project, resource: id}, func(o *op) error {
		row, err := o.pin(project, id)
		if err != nil {
			return err
		}
		return o.dropPins([]pinRow{row}, grantDeleted)
	})
}
