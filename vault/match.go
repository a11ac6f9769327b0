package vault

import (
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// maxOpen bounds the requests of one agent that wait.
const maxOpen = 32

// A wish is one name of a discover request and the secret it would get, if any.
type wish struct {
	name string // as written
	item *item  // nil: unmatched
}

// match finds the secret for each name.
func (o *op) match(a agentRow, r DiscoverRequest) ([]wish, error) {
	rs, err := o.rulesFor(a)
	if err != nil {
		return nil, err
	}
	found := map[string]*item{}
	wishes := make([]wish, 0, len(r.Names))
	for _, name := range r.Names {
		if checkVariable("", name) != nil {
			wishes = append(wishes, wish{name, nil})
			continue
		}
		key := strings.ToUpper(name)
		i, done := found[key]
		if !done {
			if i, err = o.find(a, r.Project, key, rs); err != nil {
				return nil, err
			}
			found[key] = i
		}
		wishes = append(wishes, wish{name, i})
	}
	return wishes, nil
}

// find returns the secret for one variable: the granted one, else one whose
// path reads like the variable; nil if there is none that the agent may have.
func (o *op) find(a agentRow, project, variable string, rs rules) (*item, error) {
	g, err := grantByVariable.Get(o.Tx, store.Join(a.Namespace, project, variable))
	if isNotFound(err) {
		return o.propose(a, project, variable, rs)
	}
	if err != nil {
		return nil, err
	}
	s, err := secrets.Get(o.Tx, store.Key(g.SecretID))
	if err != nil {
		return nil, err
	}
	p, err := o.place(s, a.Namespace)
	if err != nil {
		return nil, err
	}
	if ok, err := o.allowed(rs, p); err != nil || !ok {
		return nil, err
	}
	return &item{
		Variable: variable, Path: target(p.path, g.Pointer), SecretID: s.ID, Kind: kindMapped, Grant: g.ID, Pointer: g.Pointer,
	}, nil
}

// allowed decides on a secret, and records a denial.
func (o *op) allowed(rs rules, p placed) (bool, error) {
	decision, err := o.decideSecret(rs, p)
	if err != nil {
		return false, err
	}
	ok := allows(decision)
	if !ok {
		o.record.about(p.path, decision)
	}
	return ok, nil
}

// propose looks for a secret by the form of its path. Names alone authorise
// nothing: what is found waits for approval.
func (o *op) propose(a agentRow, project, variable string, rs rules) (*item, error) {
	candidates, err := o.byForm(a.Namespace, strings.ToLower(variable))
	if err != nil {
		return nil, err
	}
	// First, so that no decoy goes unnoticed behind another secret of its form.
	for _, s := range candidates {
		if s.Honey {
			o.sprung = true
			o.alarm(record{action: access.HoneyTokenAccess, agent: a.AgentID, project: project, resource: s.path})
		}
	}
	for _, s := range candidates {
		if s.Honey {
			continue
		}
		granted, err := grantBySecret.Get(o.Tx, store.Join(a.Namespace, project, s.ID))
		if err != nil && !isNotFound(err) {
			return nil, err
		}
		if granted.ID != "" || s.Type == TemplateConfig || s.expired(o.now) {
			continue
		}
		ok, err := o.allowed(rs, s)
		if err != nil {
			return nil, err
		}
		if ok {
			return &item{Variable: variable, Path: s.path, SecretID: s.ID, Kind: kindProposed}, nil
		}
	}
	return nil, nil
}

// decisions is what was decided for one agent and project.
type decisions struct {
	approved map[string]string // target by variable
	leftOut  map[string]bool
	denied   map[string]bool
	open     []pendingRow // what waits
}

func (o *op) decisions(a agentRow, project string) (d decisions, err error) {
	d = decisions{approved: map[string]string{}, leftOut: map[string]bool{}, denied: map[string]bool{}}
	rows, err := gather(pendingsByPair.All(o.Tx, store.Join(a.ID, project)))
	if err != nil {
		return d, err
	}
	for _, r := range rows {
		switch {
		case r.open():
			d.open = append(d.open, r)
		case r.Status == grantDenied:
			for _, i := range r.Items {
				d.denied[i.Variable] = true
			}
		case r.holds(o.now):
			for _, i := range r.Items {
				if i.Approved {
					d.approved[i.Variable] = i.target()
				} else {
					d.leftOut[i.Variable] = true
				}
			}
		}
	}
	return d, nil
}

// gate lets through what was approved and unmatches what was left out. What
// was denied is [ErrGrantDenied]; for what nobody decided yet it keeps a
// request, with a [PendingError] as verdict.
func (o *op) gate(a agentRow, r DiscoverRequest, wishes []wish) ([]wish, error) {
	d, err := o.decisions(a, r.Project)
	if err != nil {
		return nil, err
	}
	var undecided []item
	for n, w := range wishes {
		switch {
		case w.item == nil:
		case d.denied[w.item.Variable]:
			o.record.action = access.DiscoverDenied
			return nil, ErrGrantDenied
		case w.item.Kind == kindMapped && d.approved[w.item.Variable] == w.item.target():
		case d.leftOut[w.item.Variable]:
			wishes[n].item = nil
		default:
			undecided = append(undecided, *w.item)
		}
	}
	if len(undecided) == 0 {
		return wishes, nil
	}
	return o.ask(a, r, wishes, undecided, d.open)
}

// ask lets undecided items wait for a person. A request that waits never
// changes, or somebody would approve what they did not see: one that asks for
// more is another one. Beyond the limit items are unmatched.
func (o *op) ask(a agentRow, asked DiscoverRequest, wishes []wish, undecided []item, open []pendingRow) ([]wish, error) {
	undecided, over := within(undecided, open)
	if len(over) > 0 {
		o.alarm(record{action: access.DiscoverLimit, agent: a.AgentID, project: asked.Project, resource: asked.Project})
		for n, w := range wishes {
			if w.item != nil && slices.Contains(over, w.item.Variable) {
				wishes[n].item = nil
			}
		}
	}
	if len(undecided) == 0 {
		return wishes, nil
	}
	o.record.status = statusPending
	for _, r := range open {
		if r.covers(undecided) {
			o.record.action, o.verdict = access.DiscoverPendingExisting, r.pendingError()
			return nil, nil
		}
	}
	if err := o.mayOpen(a); err != nil {
		return nil, err
	}
	r := pendingRow{
		ID: uuid.NewString(), Agent: a.ID, AgentID: a.AgentID, Namespace: a.Namespace, Project: asked.Project,
		Items: undecided, Status: grantPending, Requested: o.now.UnixNano(), Source: o.by.Origin.Source, Command: shownCommand(asked.Command),
	}
	o.record.action, o.verdict = access.DiscoverPendingNew, r.pendingError()
	o.record.ref, o.record.names = r.ID, r.variables(everyItem)
	for _, i := range undecided {
		o.record.about(i.Path, "requested as "+i.Variable)
	}
	o.tellPending(r, grantPending)
	return nil, pendings.Insert(o.Tx, r)
}

// maxShownCommand bounds the command that a request shows, in bytes: an agent may make many
// requests, and lists show many.
const maxShownCommand = 4 << 10

// shownCommand returns the one form of a command, nothing for one that is too long.
func shownCommand(c *pinned.Command) []byte {
	if c == nil {
		return nil
	}
	form := c.Encode()
	if len(form) > maxShownCommand {
		return nil
	}
	return form
}

// within returns those items, each once, that may wait beside what waits, and
// the variables of the others.
func within(items []item, open []pendingRow) (in []item, over []string) {
	waiting := map[string]bool{}
	for _, r := range open {
		for _, i := range r.Items {
			waiting[i.Variable] = true
		}
	}
	taken := map[string]bool{}
	for _, i := range items {
		switch {
		case taken[i.Variable]:
		case waiting[i.Variable] || len(waiting) < maxUndecided:
			waiting[i.Variable], taken[i.Variable] = true, true
			in = append(in, i)
		default:
			over = append(over, i.Variable)
		}
	}
	return in, over
}

// covers reports whether a request asks for all of the items, with the secrets
// they have now.
func (r pendingRow) covers(items []item) bool {
	for _, i := range items {
		same := func(have item) bool { return have.Variable == i.Variable && have.target() == i.target() }
		if !slices.ContainsFunc(r.Items, same) {
			return false
		}
	}
	return true
}

// pendingError is what an agent is told while r waits.
func (r pendingRow) pendingError() *PendingError {
	return &PendingError{GrantID: r.ID, RequestedKeys: r.variables(everyItem), AgentID: r.AgentID, Project: r.Project}
}

// mayOpen bounds how many requests of one agent wait.
func (o *op) mayOpen(a agentRow) error {
	n := 0
	for p, err := range pendingsByAgent.All(o.Tx, store.Key(a.ID)) {
		if err != nil {
			return err
		}
		if p.open() {
			n++
		}
	}
	if n >= maxOpen {
		return ErrTooMany
	}
	return nil
}
