package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/proof"
)

// agents are the parties that may ask for secrets.
var (
	agents       = store.Rows[agentRow]("agent").Kept()
	agentsByName = store.Unique(agents, "agent_by_name", func(r agentRow) (store.Key, bool) {
		return store.Join(r.Namespace, r.AgentID), true
	})
	agentsInOrder = store.Unique(agents, "agent_in_order", func(r agentRow) (store.Key, bool) {
		return oldestFirst(r.Created, r.AgentID, r.Namespace), true
	})
	agentsByID = store.NewMulti(agents, "agent_by_id", func(r agentRow) (store.Key, bool) {
		return store.Key(r.AgentID), true
	})
	agentsOf = store.NewMulti(agents, "agent_by_namespace", func(r agentRow) (store.Key, bool) {
		return store.Key(r.Namespace), true
	})
)

type agentRow struct {
	ID          string  `cbor:"1,keyasint"`
	AgentID     string  `cbor:"2,keyasint"`
	Namespace   string  `cbor:"3,keyasint"`
	Public      []byte  `cbor:"4,keyasint"`
	Description *string `cbor:"5,keyasint,omitempty"`
	Created     int64   `cbor:"6,keyasint"`
	Proved      bool    `cbor:"7,keyasint,omitempty"` // a host has proved to have the key; nothing less will do now
}

// Key returns the row id: an agent that is made anew under an old name is
// another agent.
func (r agentRow) Key() store.Key { return store.Key(r.ID) }

// caller returns the agent as an authenticated party.
func (r agentRow) caller(auth, credential string, from access.Origin) access.Caller {
	return access.Caller{
		Kind: access.Agent, ID: r.ID, Name: r.AgentID, Namespace: r.Namespace,
		Auth: auth, Credential: credential, Origin: from,
	}
}

// An Agent is a registered identity.
type Agent struct {
	// ID is the row's id; AgentID the name people use.
	ID, AgentID string
	Namespace   string
	Description *string
	Created     time.Time
	Key         ed25519.PublicKey
	// Frozen agents get nothing, nor do those of a frozen namespace.
	Frozen bool
}

func (r agentRow) agent() Agent {
	return Agent{
		ID: r.ID, AgentID: r.AgentID, Namespace: r.Namespace, Description: r.Description,
		Created: nanos(r.Created), Key: r.Public,
	}
}

// NewAgent is what [Vault.CreateAgent] needs.
type NewAgent struct {
	AgentID string
	// Namespace is made if need be. If empty, the default one.
	Namespace string
	// Key is the agent's public key in base64, as [proof.DecodeKey] reads it.
	Key         string
	Description *string
}

// CreateAgent registers an agent. An id that is taken in its namespace, or
// that has the same key in another one, is [ErrExists]: a signature must pick
// one agent.
func (v *Vault) CreateAgent(ctx context.Context, by access.Caller, n NewAgent) (a Agent, err error) {
	pub, err := n.validate()
	if err != nil {
		return Agent{}, err
	}
	err = v.do(ctx, by, record{action: access.CreateAgent, agent: n.AgentID}, func(o *op) error {
		row := agentRow{
			ID: uuid.NewString(), AgentID: n.AgentID, Namespace: namespaceOr(n.Namespace),
			Public: pub, Description: n.Description, Created: o.now.UnixNano(),
		}
		a = row.agent()
		o.aboutAgent(row)
		if err := o.within(row.Namespace); err != nil {
			return err
		}
		for other, err := range agentsByID.All(o.Tx, store.Key(n.AgentID)) {
			if err != nil {
				return err
			}
			if slices.Equal(other.Public, row.Public) {
				return ErrExists
			}
		}
		if err := o.ensureNamespace(row.Namespace); err != nil {
			return err
		}
		return agents.Insert(o.Tx, row)
	})
	return a, err
}

// aboutAgent says in the record which agent it is.
func (o *op) aboutAgent(r agentRow) {
	o.record.about(r.ID, "namespace="+r.Namespace)
	o.record.about(proof.EncodeKey(r.Public), "key")
}

func (n NewAgent) validate() (ed25519.PublicKey, error) {
	if err := checkAgentID("agent_id", n.AgentID); err != nil {
		return nil, err
	}
	if err := checkName("namespace", namespaceOr(n.Namespace)); err != nil {
		return nil, err
	}
	if err := checkText("description", n.Description, maxDescription); err != nil {
		return nil, err
	}
	pub, err := proof.DecodeKey(n.Key)
	if err != nil {
		return nil, invalid("agent_pub", "must be an Ed25519 public key in base64, as `cortex gen-key` prints it")
	}
	return pub, nil
}

// Agents returns the agents of a namespace, of all if it is empty, oldest
// first.
func (v *Vault) Agents(ctx context.Context, by access.Caller, namespace string) (all []Agent, err error) {
	err = v.look(ctx, by, access.ListAgents, func(o *op) error {
		rows := agents.All(o.Tx, "")
		if namespace != "" {
			rows = agentsOf.All(o.Tx, store.Key(namespace))
		}
		seen, err := gather(visible(o, rows, func(r agentRow) string { return r.Namespace }))
		if err != nil {
			return err
		}
		all, err = o.listAgents(seen)
		return err
	})
	slices.SortFunc(all, func(a, b Agent) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.AgentID, b.AgentID))
	})
	return all, err
}

// AgentsPage returns a part of what Agents does, and the position to go on
// after, empty at the end. Of all namespaces it reads no more than the part.
func (v *Vault) AgentsPage(ctx context.Context, by access.Caller, namespace string, p Page) (part []Agent, next string, err error) {
	err = v.look(ctx, by, access.ListAgents, func(o *op) (err error) {
		o.anywhere()
		var rows []agentRow
		rows, next, err = ordered(o, agentsInOrder, "", p, func(r agentRow) bool {
			return o.by.Within(r.Namespace) && (namespace == "" || r.Namespace == namespace)
		})
		if err != nil {
			return err
		}
		part, err = o.listAgents(rows)
		return err
	})
	return part, next, err
}

// listAgents says of each whether it is frozen.
func (o *op) listAgents(rows []agentRow) ([]Agent, error) {
	all := []Agent{}
	for _, r := range rows {
		a := r.agent()
		var err error
		if a.Frozen, err = o.isFrozen(FreezeAgent, r.Namespace, r.ID); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// DeleteAgent deletes an agent with all that hangs on it: devices, sessions,
// tokens, approvals, and the ownership of its projects. It takes effect at
// once. Without a namespace, an id that stands in several is [ErrAmbiguous].
func (v *Vault) DeleteAgent(ctx context.Context, by access.Caller, namespace, agentID string) error {
	return v.do(ctx, by, record{action: access.DeleteAgent, agent: agentID}, func(o *op) error {
		row, err := o.agent(namespace, agentID)
		if err != nil {
			return err
		}
		o.aboutAgent(row)
		if err := o.dropAgent(row); err != nil {
			return err
		}
		return agents.Delete(o.Tx, row.Key())
	})
}

// dropTokens deletes an agent's tokens, and the projects that only they made.
func (o *op) dropTokens(a agentRow) error {
	all, err := gather(tokensByAgent.All(o.Tx, store.Key(a.ID)))
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := o.dropToken(t); err != nil {
			return err
		}
	}
	return nil
}

// agent finds an agent by its name.
func (o *op) agent(namespace, agentID string) (agentRow, error) {
	if namespace != "" {
		if !proof.ValidName(namespace) || !proof.ValidAgentID(agentID) {
			return agentRow{}, ErrNotFound
		}
		if err := o.sees(namespace); err != nil {
			return agentRow{}, err
		}
		return agentsByName.Get(o.Tx, store.Join(namespace, agentID))
	}
	found, err := gather(visible(o, agentsByID.All(o.Tx, store.Key(agentID)), func(r agentRow) string { return r.Namespace }))
	if err != nil {
		return agentRow{}, err
	}
	return single(found)
}

// dropAgent deletes what hangs on an agent.
func (o *op) dropAgent(a agentRow) error {
	id := store.Key(a.ID)
	if err := dropAll(o, devices, devicesByAgent.All(o.Tx, id)); err != nil {
		return err
	}
	if _, err := o.endSessions(a.ID); err != nil {
		return err
	}
	if err := dropAll(o, sessions, sessionsByAgent.All(o.Tx, id)); err != nil {
		return err
	}
	if err := o.dropPendings(pendingsByAgent.All(o.Tx, id)); err != nil {
		return err
	}
	if err := dropAll(o, journals, journals.All(o.Tx, store.Join(a.ID))); err != nil {
		return err
	}
	if err := o.dropPinsOf(a); err != nil {
		return err
	}
	if err := o.unfreeze(FreezeAgent, a.Namespace, a.ID); err != nil {
		return err
	}
	if err := o.dropTokens(a); err != nil {
		return err
	}
	return dropAll(o, projects, projectsByOwner.All(o.Tx, id))
}
