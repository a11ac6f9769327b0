package vault

import (
	"cmp"
	"maps"
	"slices"

	"github.com/cortex-auth/cortex/store"
)

// tellFrozen tells the daemons that a freeze is about, and of a freeze what becomes of the
// commands that run there, as the settings are now: a daemon may have heard otherwise.
func (o *op) tellFrozen(r freezeRow, kind EventKind) error {
	n := notice{Event: Event{Kind: kind, What: r.Kind, Name: r.Name}}
	told := len(o.notices)
	var err error
	switch r.Kind {
	case FreezeAgent:
		err = o.tellAgent(r, n)
	case FreezeNamespace:
		err = o.tellNamespace(r, n)
	case FreezeSecret:
		err = o.tellHolders(r.ID, n)
	case FreezeProject:
		n.Project = r.Name
		err = o.tellProject(r.Namespace, r.Name, n)
	}
	if err != nil || kind != EventFreeze {
		return err
	}
	return o.sayOnFreeze(r.Namespace, o.notices[told:])
}

func (o *op) tellAgent(r freezeRow, n notice) error {
	n.agent = r.ID
	if n.Kind != EventFreeze {
		o.tell(n)
		return nil
	}
	rules := map[string]OnFreeze{}
	for row, err := range projectSettings.All(o.Tx, store.Key(r.Namespace)) {
		if err != nil {
			return err
		}
		has, err := tokens.Has(o.Tx, store.Join(row.Namespace, row.Project, r.ID))
		if err != nil {
			return err
		}
		if has {
			rules[row.Project] = row.onFreeze()
		}
	}
	n.OnFreeze = fewest(rules)
	o.tell(n)
	return nil
}

// tellNamespace tells n to all agents of a namespace: of a freeze, to each with what is
// said of its own projects.
func (o *op) tellNamespace(r freezeRow, n notice) error {
	rules := map[string]map[string]OnFreeze{}
	if n.Kind == EventFreeze {
		for row, err := range projectSettings.All(o.Tx, store.Key(r.ID)) {
			if err != nil {
				return err
			}
			for t, err := range tokens.All(o.Tx, row.Key()) {
				if err != nil {
					return err
				}
				if rules[t.Agent] == nil {
					rules[t.Agent] = map[string]OnFreeze{}
				}
				rules[t.Agent][row.Project] = row.onFreeze()
			}
		}
	}
	for _, agent := range slices.Sorted(maps.Keys(rules)) {
		told := n
		told.agent, told.OnFreeze = agent, fewest(rules[agent])
		o.tell(told)
	}
	n.namespace, n.but = r.ID, rules
	o.tell(n)
	return nil
}

// sayOnFreeze says of the project that a notice is about what becomes of its commands.
func (o *op) sayOnFreeze(namespace string, all []notice) error {
	for i := range all {
		if all[i].Project == "" {
			continue
		}
		row, err := projectSettings.Get(o.Tx, store.Join(namespace, all[i].Project))
		if isNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		all[i].OnFreeze = map[string]OnFreeze{row.Project: row.onFreeze()}
	}
	return nil
}

// maxOnFreeze is of how many projects an event says what becomes of their commands.
const maxOnFreeze = 1000

// fewest returns the rules, without some of them where there are too many: those go first
// that end nothing.
func fewest(rules map[string]OnFreeze) map[string]OnFreeze {
	if len(rules) <= maxOnFreeze {
		return rules
	}
	names := slices.SortedFunc(maps.Keys(rules), func(a, b string) int {
		return cmp.Or(cmp.Compare(rules[a], rules[b]), cmp.Compare(a, b)) // FreezeEnds comes before FreezeLeaves
	})
	few := map[string]OnFreeze{}
	for _, name := range names[:maxOnFreeze] {
		few[name] = rules[name]
	}
	return few
}
