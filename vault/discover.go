package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// maxMappings bounds the variables of one token, so that one audit entry can
// name all of them.
const maxMappings = 1000

// emptyTTL is how long a token lives that opens nothing.
const emptyTTL = time.Hour

// A DiscoverRequest is an agent's question which of the variables it needs the
// vault has for it.
type DiscoverRequest struct {
	// AgentID says who asks, AuthProof is that agent's signature over TS and
	// Nonce, as [proof.AgentMessage] has them, in base64.
	AgentID, AuthProof string
	TS                 *int64
	Nonce              *string
	// Attested is what [Vault.CheckAttestation] returned.
	Attested *Attested
	// Project is the name to have them under.
	Project string
	// Names are the variables, as written, in order.
	Names []string
	// Regenerate replaces a live token, which is otherwise [ErrTokenActive].
	Regenerate bool
	// SignedToken asks for a JWT beside the token.
	SignedToken bool
	// Command is what they are for, as the daemon says; nil if it does not. A
	// request that waits for approval shows it.
	Command *pinned.Command
}

func (r DiscoverRequest) validate() error {
	if err := checkAgentID("agent_id", r.AgentID); err != nil {
		return err
	}
	if err := checkName("context.project_name", r.Project); err != nil {
		return err
	}
	if r.Nonce != nil && !proof.ValidNonce(*r.Nonce) {
		return invalid("nonce", "must be 8 to 128 letters, digits, '_' or '-'")
	}
	return nil
}

// A DiscoverResult is what an agent gets.
type DiscoverResult struct {
	// Mapped gives the path of the secret for each name that has one.
	Mapped map[string]string
	// Unmatched are the other names, in order, with duplicates.
	Unmatched []string
	// FullMatched tells that there were names and all are mapped.
	FullMatched bool
	// Token opens them: 64 hex characters.
	Token   opaque.Bytes
	Expires time.Time
	TTL     time.Duration
	// Namespace is the agent's.
	Namespace string
	// Scope is the sorted paths.
	Scope []string
	// Masking, OnFreeze and Commands are the project's.
	Masking  Masking
	OnFreeze OnFreeze
	Commands Commands
	// Signed is the JWT, if it was asked for.
	Signed *string
}

// Discover answers a [DiscoverRequest] with a token for what the agent may
// have. Where somebody has to approve first it returns a [PendingError]; for
// what was denied [ErrGrantDenied]; for the name of another agent's project
// [ErrProjectMismatch]; for a bad proof [ErrUnauthorized], [ErrClockSkew] or
// [ErrReplay].
func (v *Vault) Discover(ctx context.Context, from access.Origin, r DiscoverRequest) (res DiscoverResult, err error) {
	k, release, err := v.use()
	if err != nil {
		return DiscoverResult{}, err
	}
	defer release()
	if err := r.validate(); err != nil {
		return DiscoverResult{}, err
	}
	agent, err := v.prove(ctx, k, from, r)
	if err != nil {
		return DiscoverResult{}, v.failAuth(ctx, k, from, record{action: access.AgentProof}, err)
	}
	by := agent.caller("agent-proof", "", from)
	rec := record{action: access.Discover, agent: agent.AgentID, project: r.Project, resource: r.Project}
	err = v.doWith(ctx, k, by, rec, func(o *op) error {
		res = DiscoverResult{}
		if err := o.useProof(agent, r); err != nil {
			return err
		}
		res, err = o.discover(agent, r)
		if status, ok := refusal(err); ok {
			// The signed messages are used up all the same, and alarms stay.
			o.verdict, o.record.status = err, status
			o.also = slices.DeleteFunc(o.also, func(r record) bool { return r.status != statusAlarm })
			return nil
		}
		return err
	})
	if errors.Is(err, errHoney) {
		return DiscoverResult{}, ErrUnauthorized // recorded already, as an alarm
	}
	if err != nil {
		return DiscoverResult{}, v.failAuth(ctx, k, from, record{action: access.AgentProof}, err)
	}
	return res, nil
}

// prove returns the agent that signed r.
func (v *Vault) prove(ctx context.Context, k *keys, from access.Origin, r DiscoverRequest) (found agentRow, err error) {
	if r.TS == nil || r.Nonce == nil {
		return agentRow{}, ErrUnauthorized
	}
	if v.cfg.RequireAttestation && r.Attested == nil {
		return agentRow{}, ErrUnauthorized
	}
	sig, err := proof.DecodeSignature(r.AuthProof)
	if err != nil {
		return agentRow{}, ErrUnauthorized
	}
	message := proof.AgentMessage(*r.TS, *r.Nonce, r.AgentID)
	err = v.db.View(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.Nobody(from), record{})
		candidates, err := gather(agentsByID.All(tx, store.Key(r.AgentID)))
		if err != nil {
			return err
		}
		if found, err = pick(candidates, message, sig); err != nil {
			return err
		}
		if err := o.thawed(found); err != nil {
			return err
		}
		if !r.Attested.by(found) {
			return ErrUnauthorized
		}
		return o.fresh(proofMessage(found, r))
	})
	return found, err
}

// nobody's key verifies nothing; it makes unknown agents take as long as known
// ones.
var nobodysKey = make(ed25519.PublicKey, ed25519.PublicKeySize)

// pick returns the one agent whose signature it is.
func pick(candidates []agentRow, message, sig []byte) (agentRow, error) {
	if len(candidates) == 0 {
		ed25519.Verify(nobodysKey, message, sig)
	}
	for _, a := range candidates {
		if ed25519.Verify(a.Public, message, sig) {
			return a, nil
		}
	}
	return agentRow{}, ErrUnauthorized
}

// by reports whether an attestation is the agent's, and for a request that it
// signed itself. None at all is fine here: whether one is required was
// decided before.
func (a *Attested) by(agent agentRow) bool {
	if a == nil {
		return true
	}
	want := proof.AgentTokenID(agent.AgentID)
	return a.agent == agent.ID && subtle.ConstantTimeCompare([]byte(a.tokenID), []byte(want)) == 1
}

func proofMessage(a agentRow, r DiscoverRequest) message {
	return message{TS: *r.TS, By: "agent:" + a.ID, Once: *r.Nonce}
}

// useProof checks what may have changed since prove, and remembers the signed
// messages.
func (o *op) useProof(a agentRow, r DiscoverRequest) error {
	now, err := o.goodAgent(a.ID)
	if err != nil {
		return err
	}
	if !slices.Equal(now.Public, a.Public) {
		return ErrUnauthorized
	}
	if err := o.useAttested(r.Attested); err != nil {
		return err
	}
	return o.use(proofMessage(a, r))
}

// discover is the rule: match the names, see whose the project is, ask what
// was decided, and issue a token for the rest.
func (o *op) discover(a agentRow, r DiscoverRequest) (DiscoverResult, error) {
	wishes, err := o.match(a, r)
	if err != nil {
		return DiscoverResult{}, err
	}
	if o.sprung && o.cfg.FreezeOnHoneyName {
		return DiscoverResult{}, o.spring(a, r.Project)
	}
	project, err := o.claim(a, r.Project)
	if err != nil {
		return DiscoverResult{}, err
	}
	if frozen, err := o.isFrozen(FreezeProject, a.Namespace, r.Project); err != nil || frozen {
		return DiscoverResult{}, cmp.Or(err, ErrFrozen)
	}
	wishes, err = o.gate(a, r, wishes)
	if err != nil || o.verdict != nil {
		return DiscoverResult{}, err
	}
	return o.issue(a, project, wishes, r)
}

// claim returns the project of that name: the agent's, or one that nobody
// owns, or a new one.
func (o *op) claim(a agentRow, name string) (projectRow, error) {
	p, err := projects.Get(o.Tx, store.Join(a.Namespace, name))
	if isNotFound(err) {
		return projectRow{ID: uuid.NewString(), Namespace: a.Namespace, Name: name, Created: o.now.UnixNano()}, nil
	}
	if err == nil && p.Owner != "" && p.Owner != a.ID {
		err = ErrProjectMismatch
	}
	return p, err
}

// issue makes the agent's token for what its wishes came to.
func (o *op) issue(a agentRow, p projectRow, wishes []wish, r DiscoverRequest) (DiscoverResult, error) {
	if err := o.replaces(a, p, r.Regenerate, r.Attested); err != nil {
		return DiscoverResult{}, err
	}
	res := DiscoverResult{
		Mapped: map[string]string{}, Unmatched: []string{}, Namespace: a.Namespace,
		Token: token.Random(),
	}
	t := tokenRow{
		Namespace: p.Namespace, Project: p.Name, Agent: a.ID, AgentID: a.AgentID, JTI: uuid.NewString(),
		Hash: o.keys.hash(hashProject, res.Token.Reveal()), Issued: o.now.UnixNano(),
	}
	settings, err := o.settingsOf(p)
	if err != nil {
		return DiscoverResult{}, err
	}
	res.TTL, res.Masking, res.OnFreeze, res.Commands = settings.TokenTTL, settings.Masking, settings.OnFreeze, settings.Commands
	for _, w := range wishes {
		if _, again := res.Mapped[w.name]; again {
			continue
		}
		if w.item == nil || len(t.Mappings) == maxMappings {
			res.Unmatched = append(res.Unmatched, w.name)
			continue
		}
		t.Mappings = append(t.Mappings, mapping{w.name, w.item.Variable, w.item.Path, w.item.SecretID, w.item.Grant})
		o.record.about(w.item.Path, "mapped")
		res.Mapped[w.name] = w.item.Path
	}
	if len(t.Mappings) == 0 {
		res.TTL = emptyTTL
	} else {
		p.Owner = a.ID
	}
	// Whole seconds, because that is what both the answer and a JWT can say.
	res.Expires = o.now.Add(res.TTL).Truncate(time.Second).UTC()
	t.Expires = res.Expires.UnixNano()
	res.Scope, res.FullMatched = t.scope(), len(res.Unmatched) == 0 && len(r.Names) > 0
	if err := o.sign(&res, t, r.SignedToken); err != nil {
		return DiscoverResult{}, err
	}
	return res, cmp.Or(projects.Put(o.Tx, p), tokens.Put(o.Tx, t))
}

// replaces checks whether the agent's token may be replaced, and records that
// it is.
func (o *op) replaces(a agentRow, p projectRow, regenerate bool, att *Attested) error {
	old, err := tokens.Get(o.Tx, store.Join(p.Namespace, p.Name, a.ID))
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	action := access.RotateToken
	if !regenerate {
		lost, err := o.lost(old, att)
		if err != nil {
			return err
		}
		if old.state(o.now) == nil && !lost {
			return ErrTokenActive
		}
		action = access.AutoRotateToken
	}
	o.also = append(o.also, record{action: action, agent: a.AgentID, project: p.Name, resource: p.Name})
	return nil
}

// lost reports whether whoever held a token is gone: the daemon that asks now
// attested after it was issued, which ended the sessions before. Older daemons
// keep tokens in a file, lose them with it, and know no way to ask for others.
func (o *op) lost(t tokenRow, att *Attested) (bool, error) {
	if att == nil {
		return false, nil
	}
	s, err := sessions.Get(o.Tx, store.Key(att.session))
	return err == nil && s.Created > t.Issued, err
}

// sign adds the JWT.
func (o *op) sign(res *DiscoverResult, t tokenRow, wanted bool) error {
	if !wanted {
		return nil
	}
	c := token.Project(t.Project, t.Namespace, t.JTI, res.Scope)
	c.Expires = res.Expires.Unix()
	s := o.keys.signer()
	text, err := token.Mint(s.key, s.kid, c)
	if errors.Is(err, token.ErrTooLong) {
		return invalid("signed_token", "would be longer than %d bytes: the scope has too many paths", token.MaxSize)
	}
	if err != nil {
		return err
	}
	res.Signed = &text
	return nil
}
