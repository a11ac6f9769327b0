package vault

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

const (
	// confirmWithin is how long a request waits for a second person, and how
	// long it may be repeated once it was confirmed.
	confirmWithin = 15 * time.Minute
	// maxConfirmations bounds the requests that wait.
	maxConfirmations = 32
)

// confirmations are requests that need a second person.
var confirmations = store.Rows[confirmationRow]("confirmation")

type confirmationRow struct {
	ID          string        `cbor:"1,keyasint"`
	Action      access.Action `cbor:"2,keyasint"`
	What        string        `cbor:"3,keyasint,omitempty"` // what exactly, where that matters
	Asked       string        `cbor:"4,keyasint"`           // who: an account's row id, or tokenHolder
	AskedName   string        `cbor:"5,keyasint"`
	Created     int64         `cbor:"6,keyasint"`
	Expires     int64         `cbor:"7,keyasint"`
	Confirmed   string        `cbor:"8,keyasint,omitempty"` // who
	ConfirmedAs string        `cbor:"9,keyasint,omitempty"`
}

// Key returns the row id.
func (r confirmationRow) Key() store.Key { return store.Key(r.ID) }

// tokenHolder stands for whoever has the administrator's token. That is one
// person, as far as anybody can tell.
const tokenHolder = "admin-token"

// A ConfirmationError says that a second person has to confirm first.
type ConfirmationError struct {
	// ID is the confirmation's.
	ID string
	// Expires is until when it waits.
	Expires time.Time
}

func (*ConfirmationError) Error() string {
	return "a second super account has to confirm this; then send the request again"
}

// A Confirmation is a request that needs a second person.
type Confirmation struct {
	ID     string
	Action access.Action
	// What says what exactly is asked for, where that matters.
	What    string
	AskedBy string
	Created time.Time
	Expires time.Time
	// ConfirmedBy is nil until it is.
	ConfirmedBy *string
}

func (r confirmationRow) confirmation() Confirmation {
	return Confirmation{
		ID: r.ID, Action: r.Action, What: r.What, AskedBy: r.AskedName, Created: nanos(r.Created), Expires: nanos(r.Expires),
		ConfirmedBy: present(r.ConfirmedAs),
	}
}

// confirmed returns nil if by may go on with what takes longer than a
// transaction: see [op.confirmed]. Otherwise it is a [*ConfirmationError].
func (v *Vault) confirmed(ctx context.Context, by access.Caller, a access.Action, what string) error {
	if !v.cfg.TwoPerson || by.Kind == access.System {
		return nil
	}
	if !by.May(a) {
		return ErrDenied
	}
	return v.do(ctx, by, record{action: access.AskConfirmation, resource: string(a)}, func(o *op) error {
		_, err := o.confirmed(a, what)
		return err
	})
}

// confirmed reports whether the caller may go on with what it asks for: at once
// where one person is enough; else once, after another one has confirmed.
// Otherwise the request waits for that, the verdict is a [*ConfirmationError],
// and the operation has to leave everything as it is.
func (o *op) confirmed(a access.Action, what string) (bool, error) {
	if !o.cfg.TwoPerson || o.by.Kind == access.System {
		return true, nil
	}
	me, err := o.person()
	if err != nil {
		return false, err
	}
	mine, err := o.confirmationOf(me, a, what)
	switch {
	case err != nil:
		return false, err
	case mine.Confirmed != "":
		o.record.about(mine.ID, "confirmed by "+mine.ConfirmedAs)
		return true, confirmations.Delete(o.Tx, mine.Key())
	case mine.ID == "":
		if mine, err = o.askConfirmation(me, a, what); err != nil {
			return false, err
		}
	}
	o.record = record{action: access.AskConfirmation, resource: string(a), status: statusPending}
	o.record.about(mine.ID, what)
	o.verdict = &ConfirmationError{ID: mine.ID, Expires: nanos(mine.Expires)}
	return false, nil
}

// confirmationOf finds what a person asked for before.
func (o *op) confirmationOf(me string, a access.Action, what string) (confirmationRow, error) {
	for r, err := range confirmations.All(o.Tx, "") {
		if err != nil {
			return confirmationRow{}, err
		}
		if r.Action == a && r.What == what && r.Asked == me && r.Expires > o.now.UnixNano() {
			return r, nil
		}
	}
	return confirmationRow{}, nil
}

func (o *op) askConfirmation(me string, a access.Action, what string) (confirmationRow, error) {
	all, err := gather(confirmations.All(o.Tx, ""))
	if err != nil {
		return confirmationRow{}, err
	}
	waiting := 0
	for _, r := range all {
		if r.Expires > o.now.UnixNano() {
			waiting++
		} else if err := confirmations.Delete(o.Tx, r.Key()); err != nil {
			return confirmationRow{}, err
		}
	}
	if waiting >= maxConfirmations {
		return confirmationRow{}, ErrTooMany
	}
	r := confirmationRow{
		ID: uuid.NewString(), Action: a, What: what, Asked: me, AskedName: o.by.Name,
		Created: o.now.UnixNano(), Expires: o.now.Add(confirmWithin).UnixNano(),
	}
	return r, confirmations.Insert(o.Tx, r)
}

// Confirmations returns the requests that wait for a second person or were just
// confirmed, newest first.
func (v *Vault) Confirmations(ctx context.Context, by access.Caller) (all []Confirmation, err error) {
	err = v.look(ctx, by, access.ListConfirmations, func(o *op) error {
		rows := filter(confirmations.All(o.Tx, ""), func(r confirmationRow) bool { return r.Expires > o.now.UnixNano() })
		return collect(&all, rows, confirmationRow.confirmation)
	})
	slices.SortFunc(all, func(a, b Confirmation) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return all, err
}

// Confirm lets another person's request happen, once, when it is sent again
// within 15 minutes. One's own request is [ErrDenied], and so is an account
// whose password somebody else chose, as [ErrForeignPassword]; one that was
// confirmed before is [ErrDecided].
func (v *Vault) Confirm(ctx context.Context, by access.Caller, id string) (c Confirmation, err error) {
	err = v.do(ctx, by, record{action: access.Confirm, resource: id}, func(o *op) error {
		r, err := o.waiting(id)
		if err != nil {
			return err
		}
		me, err := o.person()
		switch {
		case err != nil:
			return err
		case r.Asked == me:
			return ErrDenied
		case r.Confirmed != "":
			return ErrDecided
		}
		r.Confirmed, r.ConfirmedAs = me, by.Name
		r.Expires = o.now.Add(confirmWithin).UnixNano()
		o.record.about(string(r.Action), "asked by "+r.AskedName+" "+r.What)
		c = r.confirmation()
		return confirmations.Put(o.Tx, r)
	})
	return c, err
}

// waiting finds a confirmation that has not run out.
func (o *op) waiting(id string) (confirmationRow, error) {
	r, err := confirmations.Get(o.Tx, store.Key(id))
	if err == nil && r.Expires <= o.now.UnixNano() {
		err = store.ErrNotFound
	}
	return r, err
}

// RejectConfirmation deletes a request that waits, one's own or another's.
func (v *Vault) RejectConfirmation(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.RejectConfirmation, resource: id}, func(o *op) error {
		r, err := o.waiting(id)
		if err != nil {
			return err
		}
		o.record.about(string(r.Action), "asked by "+r.AskedName+" "+r.What)
		return confirmations.Delete(o.Tx, r.Key())
	})
}
