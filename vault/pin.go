package vault

import (
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// The states of a pin. An approved one is the only one that allows anything.
const (
	// pinLearned was run while the project learns.
	pinLearned = "learned"
	// pinAsked was refused, and waits for a decision.
	pinAsked    = "asked"
	pinApproved = "approved"
	pinDenied   = "denied"
)

// Bounds of the pins that nobody decided on, of one project and of one agent, and
// of those that somebody did.
const (
	maxWaitingPins      = 64
	maxWaitingPinsAgent = 256
	maxDecidedPins      = 256
)

// waitingPinFor is how long a command that nobody decided on is kept after it was
// last run, or refused; notedAgain is how soon that is noted again.
const (
	waitingPinFor = 30 * day
	notedAgain    = time.Hour
)

// pins are commands of projects, and what was decided on them. They can be there
// before the project is.
var (
	pins     = store.Rows[pinRow]("pin").Kept()
	pinsByID = store.Unique(pins, "pin_by_id", func(r pinRow) (store.Key, bool) {
		return store.Key(r.ID), true
	})
	pinsByCommand = store.Unique(pins, "pin_by_command", func(r pinRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, r.Digest), r.Digest != ""
	})
	pinsInOrder = store.Unique(pins, "pin_in_order", func(r pinRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project, instant(^r.First), r.ID), true
	})
	pinsApproved = store.NewMulti(pins, "pin_approved", func(r pinRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.Project), r.Status == pinApproved
	})
	pinsByAgent = store.NewMulti(pins, "pin_by_agent", func(r pinRow) (store.Key, bool) {
		return store.Key(r.Agent), r.Agent != ""
	})
	pinsWaiting = store.NewMulti(pins, "pin_waiting", func(r pinRow) (store.Key, bool) {
		return store.Key("waiting"), r.waits()
	})
)

type pinRow struct {
	ID        string `cbor:"1,keyasint"`
	Namespace string `cbor:"2,keyasint"`
	Project   string `cbor:"3,keyasint"`
	Status    string `cbor:"4,keyasint"`
	Digest    string `cbor:"5,keyasint,omitempty"` // of Command
	Command   []byte `cbor:"6,keyasint,omitempty"` // its one form; none where somebody made the pin
	Pin       []byte `cbor:"7,keyasint,omitempty"` // its one form, if it is approved
	Agent     string `cbor:"8,keyasint,omitempty"` // row id
	AgentID   string `cbor:"9,keyasint,omitempty"`
	First     int64  `cbor:"10,keyasint"`
	Last      int64  `cbor:"11,keyasint"`
	Decided   int64  `cbor:"12,keyasint,omitempty"`
	DecidedBy string `cbor:"13,keyasint,omitempty"`
	Source    string `cbor:"14,keyasint,omitempty"`
}

// Key returns namespace, project and id.
func (r pinRow) Key() store.Key { return store.Join(r.Namespace, r.Project, r.ID) }

// waits reports whether nobody has decided on it.
func (r pinRow) waits() bool { return r.Status == pinLearned || r.Status == pinAsked }

// A Pin is a command of a project, and what was decided on it.
type Pin struct {
	ID, Project, Namespace string
	// Status is "learned" for what ran while the project learns, "asked" for what
	// was refused and waits for a decision, else "approved" or "denied".
	Status string
	// Command is what is, or was, to be run; nil where somebody made the pin.
	Command *pinned.Command
	// Digest is that of Command.
	Digest string
	// Pin is what is allowed, of one that is approved.
	Pin *pinned.Pin
	// Agent is the agent whose command it is.
	Agent string
	// First and Last say when it was run, or refused; not every time is noted.
	First, Last time.Time
	DecidedAt   *time.Time
	DecidedBy   *string
	// Source is the address the first request came from.
	Source *string
}

// Weakness says in words why it does, or if it were approved as it is would, allow
// what nobody looked at.
func (p Pin) Weakness() []string {
	switch {
	case p.Pin != nil:
		return p.Pin.Weakness()
	case p.Command != nil:
		return pinned.Of(*p.Command).Weakness()
	}
	return nil
}

func (r pinRow) pin() (Pin, error) {
	p := Pin{
		ID: r.ID, Project: r.Project, Namespace: r.Namespace, Status: r.Status, Digest: r.Digest, Agent: r.AgentID,
		First: nanos(r.First), Last: nanos(r.Last), DecidedBy: present(r.DecidedBy), Source: present(r.Source),
	}
	if r.Decided != 0 {
		p.DecidedAt = new(nanos(r.Decided))
	}
	if len(r.Command) > 0 {
		c, err := pinned.ParseCommand(r.Command)
		if err != nil {
			return p, err
		}
		p.Command = &c
	}
	if len(r.Pin) > 0 {
		allowed, err := pinned.ParsePin(r.Pin)
		if err != nil {
			return p, err
		}
		p.Pin = &allowed
	}
	return p, nil
}

// convertPins is [pinRow.pin] for several.
func convertPins(rows []pinRow) ([]Pin, error) {
	all := make([]Pin, 0, len(rows))
	for _, r := range rows {
		p, err := r.pin()
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// identify says in a record what a pin is about.
func (r pinRow) identify(rec *record) {
	rec.agent, rec.project, rec.resource, rec.ref = r.AgentID, r.Project, r.ID, r.ID
	rec.namespace = r.Namespace
	if c, err := pinned.ParseCommand(r.Command); err == nil {
		rec.about(pinned.Printable(c.Program), "program")
		rec.about(pinned.Printable(c.Dir), "directory")
	}
	rec.about(r.ID, "namespace="+r.Namespace)
}

// tellPin tells that a command waits for a decision, or does so no more.
func (o *op) tellPin(r pinRow, status string) {
	if r.Agent == "" {
		return
	}
	o.tell(notice{Event: Event{Kind: EventGrantDecided, Project: r.Project, GrantID: r.ID, Status: status}, agent: r.Agent, pending: true})
}

// pinStatus returns what an agent that waits for a pin hears of it. What a project
// learned may run.
func (r pinRow) pinStatus() string {
	switch r.Status {
	case pinAsked:
		return grantPending
	case pinLearned:
		return grantApproved
	}
	return r.Status
}

// dropPins deletes pins, and tells those who wait for them.
func (o *op) dropPins(rows []pinRow, status string) error {
	for _, r := range rows {
		o.tellPin(r, status)
		if err := pins.Delete(o.Tx, r.Key()); err != nil {
			return err
		}
	}
	return nil
}

// pinsOf returns the pins of a project, newest first.
func (o *op) pinsOf(namespace, project string) ([]pinRow, error) {
	return gather(pinsInOrder.From(o.Tx, "", store.Join(namespace, project)))
}

// dropPinsOf deletes the commands of an agent, with what was decided on them.
func (o *op) dropPinsOf(a agentRow) error {
	rows, err := gather(pinsByAgent.All(o.Tx, store.Key(a.ID)))
	if err != nil {
		return err
	}
	return o.dropPins(rows, grantDeleted)
}

// expirePins deletes at most n of the commands that nobody decided on in time.
func (o *op) expirePins(n int) (said []record, err error) {
	before := o.now.Add(-waitingPinFor).UnixNano()
	old, err := atMost(n, pinsWaiting.All(o.Tx, "waiting"), func(r pinRow) bool { return r.Last < before })
	if err != nil {
		return nil, err
	}
	for _, r := range old {
		rec := record{action: access.ExpirePin, status: statusExpired}
		r.identify(&rec)
		said = append(said, rec)
	}
	return said, o.dropPins(old, grantExpired)
}

// decided counts the pins that somebody decided on.
func decided(rows []pinRow) int {
	return len(slices.DeleteFunc(slices.Clone(rows), pinRow.waits))
}
