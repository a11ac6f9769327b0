package vault

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// policies narrow what agents may have. They never widen it.
var (
	policies = store.Rows[policyRow]("policy")
	_        = store.Unique(policies, "policy_by_name", func(r policyRow) (store.Key, bool) {
		return store.Key(r.Name), true
	})
	policiesInOrder = store.Unique(policies, "policy_in_order", func(r policyRow) (store.Key, bool) {
		return oldestFirst(r.Created, r.Name), true
	})
	policiesOf = store.NewMulti(policies, "policy_by_namespace", func(r policyRow) (store.Key, bool) {
		return store.Key(r.Namespace), r.Namespace != ""
	})
)

type policyRow struct {
	ID        string   `cbor:"1,keyasint"`
	Name      string   `cbor:"2,keyasint"`
	Agents    string   `cbor:"3,keyasint"`
	Namespace string   `cbor:"4,keyasint,omitempty"`
	Allowed   []string `cbor:"5,keyasint,omitempty"`
	Denied    []string `cbor:"6,keyasint,omitempty"`
	Created   int64    `cbor:"7,keyasint"`
}

// Key returns the row id.
func (r policyRow) Key() store.Key { return store.Key(r.ID) }

// A Policy narrows what the agents it matches may have. A pattern is an exact
// text, a text before a trailing "*", or "*" alone.
type Policy struct {
	ID, Name string
	// AgentPattern matches agent ids.
	AgentPattern string
	// Namespace restricts the policy to agents of one namespace, if not empty.
	Namespace string
	// Allowed and Denied are patterns of secret paths. A denial wins; if any
	// policy that matches the agent allows something, nothing else is allowed.
	Allowed, Denied []string
	Created         time.Time
}

func (r policyRow) policy() Policy {
	return Policy{
		ID: r.ID, Name: r.Name, AgentPattern: r.Agents, Namespace: r.Namespace,
		Allowed: append([]string{}, r.Allowed...), Denied: append([]string{}, r.Denied...), Created: nanos(r.Created),
	}
}

// NewPolicy is what [Vault.CreatePolicy] needs; see [Policy].
type NewPolicy struct {
	Name            string
	AgentPattern    string
	Namespace       string
	Allowed, Denied []string
}

// maxPatterns bounds each list of a policy.
const maxPatterns = 1000

func (n NewPolicy) validate() error {
	if strings.TrimSpace(n.Name) == "" {
		return invalid("policy_name", "must not be empty")
	}
	if err := checkLine("policy_name", &n.Name, maxVersion); err != nil {
		return err
	}
	if n.Namespace != "" {
		if err := checkName("namespace", n.Namespace); err != nil {
			return err
		}
	}
	if err := checkPattern("agent_pattern", n.AgentPattern); err != nil {
		return err
	}
	if err := checkPatterns("allowed_paths", n.Allowed); err != nil {
		return err
	}
	return checkPatterns("denied_paths", n.Denied)
}

func checkPatterns(field string, patterns []string) error {
	if len(patterns) > maxPatterns {
		return invalid(field, "must not have more than %d patterns", maxPatterns)
	}
	for _, p := range patterns {
		if err := checkPattern(field, p); err != nil {
			return err
		}
	}
	return nil
}

// checkPattern refuses what would match nothing although somebody meant it to.
func checkPattern(field, p string) error {
	switch {
	case p == "" || len(p) > 512 || !utf8.ValidString(p):
		return invalid(field, "must have patterns of 1 to 512 bytes of UTF-8")
	case strings.Contains(strings.TrimSuffix(p, "*"), "*"):
		return invalid(field, "may have a '*' only at the end of a pattern")
	}
	return checkLine(field, &p, 512)
}

// CreatePolicy keeps a new policy. A name that is taken is [ErrExists].
func (v *Vault) CreatePolicy(ctx context.Context, by access.Caller, n NewPolicy) (p Policy, err error) {
	if err := n.validate(); err != nil {
		return Policy{}, err
	}
	err = v.do(ctx, by, record{action: access.CreatePolicy, resource: n.Name}, func(o *op) error {
		row := policyRow{
			ID: uuid.NewString(), Name: n.Name, Agents: n.AgentPattern, Namespace: n.Namespace,
			Allowed: n.Allowed, Denied: n.Denied, Created: o.now.UnixNano(),
		}
		p = row.policy()
		o.aboutPolicy(row)
		if err := o.within(row.Namespace); err != nil {
			return err
		}
		if row.Namespace != "" {
			if err := o.ensureNamespace(row.Namespace); err != nil {
				return err
			}
		}
		o.tellPolicy(row)
		return policies.Insert(o.Tx, row)
	})
	return p, err
}

// aboutPolicy says in the record what the policy says.
func (o *op) aboutPolicy(r policyRow) {
	o.record.about(r.ID, "namespace="+r.Namespace+" agents="+r.Agents)
	for _, p := range r.Allowed {
		o.record.about(p, "allowed")
	}
	for _, p := range r.Denied {
		o.record.about(p, "denied")
	}
}

// Policies returns every policy, oldest first.
func (v *Vault) Policies(ctx context.Context, by access.Caller) (all []Policy, err error) {
	all, _, err = v.PoliciesPage(ctx, by, Page{})
	return all, err
}

// PoliciesPage returns a part of what Policies does, and the position to go on
// after, empty at the end. It reads no more than the part.
func (v *Vault) PoliciesPage(ctx context.Context, by access.Caller, p Page) (part []Policy, next string, err error) {
	err = v.look(ctx, by, access.ListPolicies, func(o *op) error {
		o.anywhere() // those for all namespaces are everybody's to see
		rows, n, err := ordered(o, policiesInOrder, "", p, func(r policyRow) bool { return r.Namespace == "" || o.by.Within(r.Namespace) })
		part, next = convert(rows, policyRow.policy), n
		return err
	})
	return part, next, err
}

// DeletePolicy deletes a policy by its id.
func (v *Vault) DeletePolicy(ctx context.Context, by access.Caller, id string) error {
	return v.do(ctx, by, record{action: access.DeletePolicy, resource: id}, func(o *op) error {
		row, err := policies.Get(o.Tx, store.Key(id))
		if err != nil {
			return err
		}
		o.record.resource = row.Name
		o.aboutPolicy(row)
		mayDelete := o.sees
		if row.Namespace == "" {
			mayDelete = o.within // everybody sees those for all namespaces
		}
		if err := mayDelete(row.Namespace); err != nil {
			return err
		}
		o.tellPolicy(row)
		return policies.Delete(o.Tx, row.Key())
	})
}

// tellPolicy tells the agents of a policy that other secrets may be theirs
// now.
func (o *op) tellPolicy(r policyRow) {
	o.tell(notice{Event: Event{Kind: EventResync}, namespace: r.Namespace, everyone: r.Namespace == ""})
}

// rules are the policies that match one agent.
type rules []policyRow

// rulesFor returns the policies of an agent. A policy that cannot be read is
// an error, and so denies.
func (o *op) rulesFor(a agentRow) (matching rules, err error) {
	for r, err := range policies.All(o.Tx, "") {
		if err != nil {
			return nil, err
		}
		if (r.Namespace == "" || r.Namespace == a.Namespace) && matches(r.Agents, a.AgentID) {
			matching = append(matching, r)
		}
	}
	return matching, nil
}

// allow reports whether the rules let path through, and the name of the policy
// that decided; none if no rule speaks of it.
func (rs rules) allow(path string) (ok bool, policy string) {
	for _, r := range rs {
		if slices.ContainsFunc(r.Denied, func(p string) bool { return matches(p, path) }) {
			return false, r.Name
		}
	}
	restricted := false
	for _, r := range rs {
		restricted = restricted || len(r.Allowed) > 0
		if slices.ContainsFunc(r.Allowed, func(p string) bool { return matches(p, path) }) {
			return true, r.Name
		}
	}
	return !restricted, ""
}

// matches reports whether s is what pattern says.
func matches(pattern, s string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return s == pattern
}
