package vault

import (
	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A CommandError says that a project has its secrets for approved commands only, and
// that this is none.
type CommandError struct {
	// PinID is what an administrator approves, empty where too many wait.
	PinID string
	// Why is what differs from what was approved, for people to read. Nothing in it
	// has to be escaped.
	Why string
}

func (e *CommandError) Error() string { return "this command was not approved: " + e.Why }

// whyUntold is why a command is refused that is not known.
const whyUntold = "the daemon does not say what it runs"

// An AllowedPin is the pin that allows what a daemon is about to run.
type AllowedPin struct {
	ID string
	// Env are the variables that the command may have: see
	// [pinned.Pin.Environment].
	Env []string
	// Sealed is [pinned.Pin].Sealed.
	Sealed bool
}

// A checked command is what a fetch is for, and what the project says to that.
type checked struct {
	mode    Commands
	command *pinned.Command
	digest  string
	allowed *AllowedPin
	denied  string        // the id of the pin by which somebody denied it
	keep    string        // the status to keep it with, if it is to be kept
	refused *CommandError // nil if values may leave
}

// check compares what a fetch is for with what the project allows.
func (o *op) check(t tokenRow, command *pinned.Command) (c checked, err error) {
	settings, err := projectSettings.Get(o.Tx, store.Join(t.Namespace, t.Project))
	if err != nil && !isNotFound(err) {
		return c, err
	}
	c = checked{mode: settings.commands(), command: command}
	if command != nil {
		c.digest = command.Digest()
	}
	if c.mode == CommandsAny {
		return c, nil
	}
	if command == nil {
		if c.mode == CommandsEnforce {
			c.refused = &CommandError{Why: whyUntold}
		}
		return c, nil
	}
	return c, o.compare(&c, t)
}

// compare looks for a pin that allows a command.
func (o *op) compare(c *checked, t tokenRow) error {
	if err := o.lookForDenial(c, t); err != nil || c.denied != "" {
		return err
	}
	rows, err := gather(pinsApproved.All(o.Tx, store.Join(t.Namespace, t.Project)))
	if err != nil {
		return err
	}
	all := make([]pinned.Pin, 0, len(rows))
	for _, r := range rows {
		p, err := pinned.ParsePin(r.Pin)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	i, why := pinned.Match(all, *c.command)
	switch {
	case i >= 0:
		c.allowed = &AllowedPin{ID: rows[i].ID, Env: all[i].Environment(), Sealed: all[i].Sealed}
	case c.mode == CommandsLearn:
		c.keep = pinLearned
	default:
		c.keep, c.refused = pinAsked, &CommandError{Why: why}
	}
	return nil
}

// lookForDenial looks for a pin by which somebody denied a command. That wins over what
// other pins allow.
func (o *op) lookForDenial(c *checked, t tokenRow) error {
	rows, err := o.pinsOf(t.Namespace, t.Project)
	if err != nil {
		return err
	}
	c.denied, err = denial(rows, *c.command)
	if c.denied != "" && c.mode == CommandsEnforce {
		c.refused = &CommandError{PinID: c.denied, Why: pinned.WhyDenied}
	}
	return err
}

// denial returns the id of the pin by which somebody denied a command, empty if nobody did.
func denial(rows []pinRow, command pinned.Command) (id string, err error) {
	for _, r := range rows {
		if r.Status != pinDenied {
			continue
		}
		if denied, err := pinned.ParseCommand(r.Command); err != nil || command.Repeats(denied) {
			return r.ID, err
		}
	}
	return "", nil
}

// answer keeps what is to be kept of a command, and says in the record what became of
// it. A refusal becomes the verdict.
func (o *op) answer(f fetch) error {
	c := f.checked
	if c.mode == CommandsAny && c.command == nil {
		return nil
	}
	said := "not pinned"
	switch {
	case c.command == nil:
		said = "not told"
	case c.allowed != nil:
		said = "pin=" + c.allowed.ID
	case c.denied != "":
		said = pinDenied + "=" + c.denied
	case c.keep != "":
		row, err := o.keepCommand(f)
		if err != nil {
			return err
		}
		if row.ID != "" {
			said = row.Status + "=" + row.ID
		}
		if c.refused != nil {
			c.refused = &CommandError{PinID: row.ID, Why: c.refused.Why}
		}
	}
	o.record.resources = append([]audit.Resource{{Path: "command:" + c.digest, Decision: said}}, o.record.resources...)
	if c.refused != nil {
		o.record.status, o.verdict = statusUnpinned, c.refused
	}
	return nil
}

// keepCommand keeps a command that no pin allows, and returns the row that stands for
// it; none where too many wait.
func (o *op) keepCommand(f fetch) (pinRow, error) {
	t, c := f.token, f.checked
	row, err := pinsByCommand.Get(o.Tx, store.Join(t.Namespace, t.Project, c.digest))
	if isNotFound(err) {
		return o.newCommand(f)
	}
	if err != nil {
		return pinRow{}, err
	}
	asked := row.Status == pinLearned && c.keep == pinAsked
	if !asked && o.now.UnixNano()-row.Last < int64(notedAgain) {
		return row, nil
	}
	row.Last = o.now.UnixNano()
	if asked {
		row.Status = pinAsked
		o.noteCommand(row)
	}
	return row, pins.Put(o.Tx, row)
}

// newCommand keeps a command for the first time, if there is room.
func (o *op) newCommand(f fetch) (pinRow, error) {
	t, c := f.token, f.checked
	if room, err := o.roomForCommand(t); err != nil || !room {
		return pinRow{}, err
	}
	row := pinRow{
		ID: uuid.NewString(), Namespace: t.Namespace, Project: t.Project, Status: c.keep, Digest: c.digest, Command: c.command.Encode(),
		Agent: f.agent.ID, AgentID: f.agent.AgentID, First: o.now.UnixNano(), Last: o.now.UnixNano(), Source: o.by.Origin.Source,
	}
	o.noteCommand(row)
	return row, pins.Insert(o.Tx, row)
}

// noteCommand records, and tells, that a command is kept for somebody to decide on.
func (o *op) noteCommand(row pinRow) {
	rec := record{action: access.LearnPin}
	if row.Status == pinAsked {
		rec = record{action: access.AskPin, status: statusPending}
	}
	row.identify(&rec)
	rec.resource = rec.resources[0].Path // the program says more than an id
	o.also = append(o.also, rec)
}

// roomForCommand bounds what waits: of a project, and of an agent.
func (o *op) roomForCommand(t tokenRow) (bool, error) {
	rows, err := gather(pinsByAgent.All(o.Tx, store.Key(t.Agent)))
	if err != nil {
		return false, err
	}
	here, all := 0, 0
	for _, r := range rows {
		if r.waits() {
			all++
			if r.Namespace == t.Namespace && r.Project == t.Project {
				here++
			}
		}
	}
	return here < maxWaitingPins && all < maxWaitingPinsAgent, nil
}
