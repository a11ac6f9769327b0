package vault

import (
	"errors"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// remap gives items other secrets than were proposed.
func (o *op) remap(p *pendingRow, to map[string]string) error {
	if len(to) == 0 {
		return nil
	}
	a, err := o.goodAgent(p.Agent)
	if errors.Is(err, ErrUnauthorized) {
		return invalid("remap", "is for an agent that is frozen")
	}
	if err != nil {
		return err
	}
	rs, err := o.rulesFor(a)
	if err != nil {
		return err
	}
	done := 0
	for n := range p.Items {
		name, wanted := to[p.Items[n].Variable]
		if !wanted {
			continue
		}
		done++
		if err := o.remapItem(&p.Items[n], a, name, rs); err != nil {
			return err
		}
	}
	if done < len(to) {
		return invalid("remap", "names a variable that was not requested")
	}
	return nil
}

func (o *op) remapItem(i *item, a agentRow, name string, rs rules) error {
	if !i.Approved {
		return invalid("remap", "names %s, which is not approved", i.Variable)
	}
	s, pointer, err := o.secretFor(a, name)
	if isNotFound(err) || errors.Is(err, ErrNotFound) {
		return invalid("remap", "gives %s a secret that is not in the agent's namespace", i.Variable)
	}
	if err != nil {
		return err
	}
	decision, err := o.decideSecret(rs, s)
	switch {
	case err != nil:
		return err
	case s.Honey:
		return invalid("remap", "gives %s a honey secret", i.Variable)
	case !allows(decision):
		return invalid("remap", "gives %s a secret that the agent may not have: %s", i.Variable, decision)
	case s.expired(o.now):
		return invalid("remap", "gives %s a secret that has expired", i.Variable)
	case target(s.ID, pointer) == i.target():
		return nil
	}
	i.Asked, i.Path, i.SecretID, i.Pointer = i.Path, target(s.path, pointer), s.ID, pointer
	i.Kind, i.Grant = kindProposed, ""
	return nil
}

// secretFor finds what an administrator names: a secret in an agent's namespace,
// by its id or its path, and behind a '#' the pointer to a member of it.
func (o *op) secretFor(a agentRow, name string) (p placed, pointer string, err error) {
	name, pointer, _ = strings.Cut(name, "#")
	if err := (NewProjectGrant{Project: "-", Pointer: pointer}).validate(); err != nil {
		return placed{}, "", err
	}
	s, err := secrets.Get(o.Tx, store.Key(name))
	if err == nil {
		p, err = o.place(s, a.Namespace)
	}
	if isNotFound(err) && checkPath("", name) == nil {
		p, err = o.at(a.Namespace, name)
	}
	return p, pointer, err
}

// replaceGrant deletes the grant of a variable that gets another secret. It
// returns what a missing grant would be, store.ErrNotFound.
func (o *op) replaceGrant(g grantRow, p pendingRow) error {
	o.also = append(o.also, record{action: access.DeleteProjectGrant, project: g.Project, resource: g.ID})
	if err := o.dropGrantFor(g, p.ID); err != nil {
		return err
	}
	return store.ErrNotFound
}

// grantItems makes the grants that approved items need. What was proposed may
// have changed since: a secret that is gone is an error, so that nobody
// approves something else than they saw.
func (o *op) grantItems(p pendingRow) error {
	for _, i := range p.Items {
		if !i.Approved {
			continue
		}
		if err := o.grantItem(p, i); err != nil {
			return err
		}
	}
	return nil
}

func (o *op) grantItem(p pendingRow, i item) error {
	g, err := grantByVariable.Get(o.Tx, store.Join(p.Namespace, p.Project, i.Variable))
	if err == nil && g.target() == i.target() {
		return nil
	}
	if err == nil && i.Asked != "" {
		err = o.replaceGrant(g, p)
	}
	if err == nil {
		return invalid("approved_keys", "has %s, which was granted another secret since; delete the request and let the agent ask again", i.Variable)
	}
	if !isNotFound(err) {
		return err
	}
	s, err := secrets.Get(o.Tx, store.Key(i.SecretID))
	if isNotFound(err) {
		return invalid("approved_keys", "has %s, whose secret was deleted since; delete the request and let the agent ask again", i.Variable)
	}
	if err != nil {
		return err
	}
	if i.Pointer != "" && i.Asked == "" {
		return invalid("approved_keys", "has %s, whose grant was deleted since; delete the request and let the agent ask again", i.Variable)
	}
	at, err := o.place(s, p.Namespace)
	if isNotFound(err) {
		return invalid("approved_keys", "has %s, whose secret is no longer shared; delete the request and let the agent ask again", i.Variable)
	}
	if err != nil {
		return err
	}
	_, err = o.insertGrant(at, NewProjectGrant{Project: p.Project, SecretID: s.ID, Pointer: i.Pointer, EnvVar: &i.Variable})
	if errors.Is(err, store.ErrExists) {
		return invalid("approved_keys", "has %s, whose secret the project has under another variable", i.Variable)
	}
	return err
}
