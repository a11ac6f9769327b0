package vault

import (
	"bytes"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/jsontext"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// together is how many values are opened at once: enough to be cheap, few
// enough to hold them all.
const together = 16

// open decides on each mapping of the token and opens what may be had.
func (o *op) open(f *fetch) error {
	rs, err := o.rulesFor(f.agent)
	if err != nil {
		return err
	}
	f.Values, f.SSHKeys = map[string]opaque.Bytes{}, map[string]SSHPublic{}
	for some := range slices.Chunk(f.token.Mappings, together) {
		if err := o.openSome(f, rs, some); err != nil {
			return err
		}
	}
	slices.Sort(f.Withheld)
	return nil
}

// openSome is open for some of the mappings.
func (o *op) openSome(f *fetch, rs rules, some []mapping) error {
	decisions := make([]decision, 0, len(some))
	wanted := make([]secretRow, 0, len(some))
	for _, m := range some {
		d, err := o.decide(f.token, m, rs)
		if err != nil {
			return err
		}
		switch {
		case d.opens():
			wanted = append(wanted, d.secret)
		case d.signs():
			if f.SSHKeys[m.Env], err = o.sshPublic(d.secret); err != nil {
				return err
			}
		}
		decisions = append(decisions, d)
	}
	values, err := o.openValues(wanted)
	if err != nil {
		return err
	}
	for i, d := range decisions {
		if d.opens() {
			f.Values[some[i].Env], values = values[0], values[1:]
		}
	}
	for i, d := range decisions {
		if err := f.settle(some[i], d); err != nil {
			return err
		}
	}
	return nil
}

// settle does what was decided about a mapping, whose value is there if it is
// let out.
func (f *fetch) settle(m mapping, d decision) (err error) {
	switch {
	case !d.allows():
	case d.secret.Honey:
		f.honey = append(f.honey, d.path)
	case d.signs():
		d.text += ":public key"
	default:
		if f.Values[m.Env], err = d.part(f.Values[m.Env]); err != nil {
			return err
		}
		if f.size += f.Values[m.Env].Len(); f.size > maxFetch {
			return invalid("the project", "has values of more than %d bytes in all", maxFetch)
		}
	}
	if !d.allows() {
		delete(f.Values, m.Env)
		f.Withheld = append(f.Withheld, m.Env)
	}
	f.resources = append(f.resources, audit.Resource{Path: m.Path, Decision: d.text})
	return nil
}

// A decision is what becomes of one mapping.
type decision struct {
	text   string // as the record has it
	secret secretRow
	path   string // of the secret, in the token's namespace
	grant  grantRow
}

// decisionAllowed begins every decision that lets a value out.
const decisionAllowed = "allowed"

// decisionExpired is about a secret that is delivered no more.
const decisionExpired = "withheld:expired"

func (d decision) allows() bool { return allows(d.text) }

// opens reports whether the value is to be opened: that of a trap is not, nor that
// of a key that signs.
func (d decision) opens() bool { return d.allows() && !d.secret.Honey && d.secret.Type != SSHKey }

// signs reports whether it is about a key that may sign.
func (d decision) signs() bool { return d.allows() && !d.secret.Honey && d.secret.Type == SSHKey }

// allows reports whether a decision lets a value out.
func allows(decision string) bool { return strings.HasPrefix(decision, decisionAllowed) }

// decide asks, for one mapping, whether its grant stands, its secret is the
// one that was granted, and the agent's policies let it through.
func (o *op) decide(t tokenRow, m mapping, rs rules) (d decision, err error) {
	d.grant, err = grants.Get(o.Tx, store.Key(m.Grant))
	if isNotFound(err) || err == nil && !d.grant.gives(t, m) {
		d.text = "withheld:no grant"
		return d, nil
	}
	if err != nil {
		return d, err
	}
	var p placed
	if d.secret, err = secrets.Get(o.Tx, store.Key(m.SecretID)); err == nil {
		p, err = o.place(d.secret, t.Namespace)
		d.path = p.path
	}
	if isNotFound(err) {
		d.text = "withheld:deleted"
		return d, nil
	}
	if err != nil {
		return d, err
	}
	d.text, err = o.decideSecret(rs, p)
	if d.allows() && d.secret.expired(o.now) {
		d.text = decisionExpired
	}
	return d, err
}

// decideSecret asks whether a secret is frozen, and whether an agent's policies
// let it through by the path it has there. What does not begin with
// decisionAllowed withholds it.
func (o *op) decideSecret(rs rules, p placed) (decision string, err error) {
	frozen, err := o.isFrozen(FreezeSecret, p.Namespace, p.ID)
	if err != nil {
		return "", err
	}
	ok, policy := rs.allow(p.path)
	switch {
	case frozen:
		return "withheld:frozen", nil
	case !ok:
		return "denied:policy=" + policy, nil
	case policy != "":
		return decisionAllowed + ":policy=" + policy, nil
	}
	return decisionAllowed, nil
}

// gives reports whether a grant is the one a mapping rests on.
func (r grantRow) gives(t tokenRow, m mapping) bool {
	return r.Namespace == t.Namespace && r.Project == t.Project && r.SecretID == m.SecretID
}

// openGranted returns the value that a grant gives.
func (o *op) openGranted(d *decision) (opaque.Bytes, error) {
	value, err := o.openValue(d.secret)
	if err != nil {
		return value, err
	}
	return d.part(value)
}

// part returns what a grant gives of its secret's value, which it takes over: a
// member of it where the grant has a pointer. One that leads nowhere now, or to
// what no variable can hold, is written into the decision.
func (d *decision) part(value opaque.Bytes) (opaque.Bytes, error) {
	if d.grant.Pointer == "" {
		return value, nil
	}
	defer value.Wipe()
	pointer, err := jsontext.ParsePointer(d.grant.Pointer)
	if err != nil {
		return opaque.Bytes{}, err // unreachable: it was parsed when it was granted
	}
	part, err := pointer.Find(value.Reveal())
	if err != nil {
		d.text = "withheld:nothing at pointer"
		return opaque.Bytes{}, nil
	}
	member, err := jsontext.Plain(part)
	if err != nil || bytes.IndexByte(member, 0) >= 0 {
		clear(member)
		d.text = "withheld:no text at pointer"
		return opaque.Bytes{}, nil
	}
	return opaque.New(member), nil
}
