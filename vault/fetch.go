package vault

import (
	"context"
	"crypto/subtle"
	"errors"
	"slices"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// A FetchRequest asks for the values of a project's secrets.
type FetchRequest struct {
	// Project is the name as in the path of the request.
	Project string
	// Bearer is the project token, or its JWT.
	Bearer opaque.Bytes
	// Attestation is the daemon's signature over GET
	// /project/secrets/<Project> without a body; nil if there was none.
	Attestation *proof.Attestation

	template string // the path of a template, if that is what is fetched
}

// target returns the path that an attestation of the request signs.
func (r FetchRequest) target() string {
	if r.template != "" {
		return "/project/config/" + r.Project + "/" + r.template
	}
	return "/project/secrets/" + r.Project
}

// A FetchResult holds what a project gets.
type FetchResult struct {
	// Values are the values by variable. The caller wipes them.
	Values map[string]opaque.Bytes
	// Withheld are the variables of the token that it no longer opens,
	// because a grant, a secret or a policy changed; sorted.
	Withheld []string
}

// wipe overwrites the values.
func (r FetchResult) wipe() {
	for _, v := range r.Values {
		v.Wipe()
	}
}

// maxFetch bounds the values of one fetch, in bytes. No environment holds more.
const maxFetch = 8 << 20

// fetchBuckets are what a fetch is authorised by.
var fetchBuckets = []store.Named{agents, sessions, allowedDaemons, tokens, grants, policies, secrets, secretValues}

// FetchSecrets returns the values that a project token opens. They leave only
// after the audit entry that names every one of them is durable. It returns
// [ErrUnauthorized] for a token or attestation that is not good,
// [ErrTokenRevoked] or [ErrTokenExpired] for a token that was, [ErrClockSkew]
// and [ErrReplay]. A honey secret among them revokes the project's tokens,
// freezes the agent, and is ErrUnauthorized.
func (v *Vault) FetchSecrets(ctx context.Context, from access.Origin, r FetchRequest) (FetchResult, error) {
	k, release, err := v.use()
	if err != nil {
		return FetchResult{}, err
	}
	defer release()
	// Nearly all the work is done in a View, many at a time; the Update that
	// writes the audit entry only asks whether anything changed meanwhile.
	var f fetch
	var snapshot store.Snapshot
	err = v.db.View(ctx, func(tx *store.Tx) error {
		snapshot = tx.Snapshot()
		f, err = v.newOp(tx, k, access.Nobody(from), record{}).authorize(v.cfg.RequireAttestation, r)
		return err
	})
	if err != nil {
		return FetchResult{}, v.failFetch(ctx, k, from, f, err)
	}
	by := f.agent.caller("project-token", f.token.JTI, from)
	rec := record{action: access.GetSecrets, agent: f.agent.AgentID, project: r.Project, resource: r.Project}
	err = v.doWith(ctx, k, by, rec, func(o *op) error {
		if o.Changed(snapshot, fetchBuckets...) {
			f.wipe()
			if f, err = o.authorize(v.cfg.RequireAttestation, r); err != nil {
				return err
			}
		}
		return o.deliver(f)
	})
	if err != nil {
		return FetchResult{}, v.failFetch(ctx, k, from, f, err)
	}
	return f.FetchResult, nil
}

// failFetch wipes what was opened and records what was wrong.
func (v *Vault) failFetch(ctx context.Context, k *keys, from access.Origin, f fetch, err error) error {
	f.wipe()
	if errors.Is(err, errHoney) {
		return ErrUnauthorized // recorded already, as an alarm
	}
	return v.failAuth(ctx, k, from, record{
		action: access.TokenValidation, agent: f.token.AgentID, project: f.token.Project, resource: f.token.Project,
	}, err)
}

// A fetch is an authorised request, with what it gets.
type fetch struct {
	FetchResult
	token     tokenRow
	agent     agentRow
	attested  *Attested
	resources []audit.Resource
	honey     []string // paths of honey secrets
}

// errHoney: the fetch touched a honey secret.
var errHoney = errors.New("honey secret")

// authorize checks everything and opens the values. On an error the fetch
// still says which token it was, if that is known.
func (o *op) authorize(attest bool, r FetchRequest) (f fetch, err error) {
	if f, err = o.identify(attest, r); err != nil {
		return f, err
	}
	return f, o.open(&f)
}

// identify checks token, agent and attestation.
func (o *op) identify(attest bool, r FetchRequest) (f fetch, err error) {
	if f.token, err = o.bearer(r); err != nil {
		return f, err
	}
	if err := f.token.state(o.now); err != nil {
		return f, err
	}
	if f.agent, err = o.goodAgent(f.token.Agent); err != nil {
		return f, err
	}
	if attest {
		if f.attested, err = o.attestedFetch(f.agent, r); err != nil {
			return f, err
		}
	}
	return f, nil
}

// bearer finds the token of a request.
func (o *op) bearer(r FetchRequest) (tokenRow, error) {
	text := r.Bearer.Reveal()
	if len(text) == 0 || len(text) > token.MaxSize {
		return tokenRow{}, ErrUnauthorized
	}
	if strings.Count(string(text), ".") == 2 {
		return o.bearerJWT(string(text), r.Project)
	}
	t, err := tokensByHash.Get(o.Tx, store.Key(o.keys.hash(hashProject, text)))
	if isNotFound(err) || err == nil && t.Project != r.Project {
		return tokenRow{}, ErrUnauthorized
	}
	return t, err
}

// bearerJWT finds the token that a JWT was minted with. One that this vault
// signed, but whose id is nobody's any more, was replaced.
func (o *op) bearerJWT(text, project string) (tokenRow, error) {
	c, err := token.Parse(text, o.keys.publicKey)
	if err != nil {
		return tokenRow{}, ErrUnauthorized
	}
	err = c.Check(o.now, token.AudienceProject)
	expired := errors.Is(err, token.ErrExpired)
	if err != nil && !expired || c.Subject != project {
		return tokenRow{}, ErrUnauthorized
	}
	t, err := tokensByJTI.Get(o.Tx, store.Key(c.ID))
	switch {
	case isNotFound(err) && expired:
		return tokenRow{}, ErrTokenExpired
	case isNotFound(err):
		return tokenRow{}, ErrTokenRevoked
	case err != nil:
		return tokenRow{}, err
	case t.Project != project || t.Namespace != c.Namespace:
		return tokenRow{}, ErrUnauthorized
	}
	return t, nil
}

// attestedFetch verifies the attestation: of the token's agent, for this token.
func (o *op) attestedFetch(a agentRow, r FetchRequest) (*Attested, error) {
	att, err := o.attested(r.Attestation, "GET", r.target())
	if err != nil {
		return nil, err
	}
	want := proof.AuthTokenID(string(r.Bearer.Reveal()))
	if att.agent != a.ID || !att.covers(proof.BodyHash(nil)) || subtle.ConstantTimeCompare([]byte(att.tokenID), []byte(want)) != 1 {
		return nil, ErrUnauthorized
	}
	return &att, nil
}

// open decides on each mapping of the token and opens what may be had.
func (o *op) open(f *fetch) error {
	rs, err := o.rulesFor(f.agent)
	if err != nil {
		return err
	}
	f.Values = map[string]opaque.Bytes{}
	size := 0
	for _, m := range f.token.Mappings {
		s, decision, err := o.decide(f.token, m, rs)
		if err != nil {
			return err
		}
		f.resources = append(f.resources, audit.Resource{Path: m.Path, Decision: decision})
		switch {
		case !strings.HasPrefix(decision, decisionAllowed):
			f.Withheld = append(f.Withheld, m.Env)
		case s.Honey:
			f.honey = append(f.honey, s.Path)
		default:
			if f.Values[m.Env], err = o.openValue(s); err != nil {
				return err
			}
			if size += f.Values[m.Env].Len(); size > maxFetch {
				return invalid("the project", "has values of more than %d bytes in all", maxFetch)
			}
		}
	}
	slices.Sort(f.Withheld)
	return nil
}

// decisionAllowed begins every decision that lets a value out.
const decisionAllowed = "allowed"

// decide asks, for one mapping, whether its grant stands, its secret is the
// one that was granted, and the agent's policies let it through.
func (o *op) decide(t tokenRow, m mapping, rs rules) (s secretRow, decision string, err error) {
	g, err := grantBySecret.Get(o.Tx, store.Join(t.Namespace, t.Project, m.SecretID))
	if isNotFound(err) || err == nil && g.ID != m.Grant {
		return s, "withheld:no grant", nil
	}
	if err != nil {
		return s, "", err
	}
	if s, err = secrets.Get(o.Tx, store.Key(m.SecretID)); err != nil {
		if isNotFound(err) {
			return s, "withheld:deleted", nil
		}
		return s, "", err
	}
	ok, policy := rs.allow(s.Path)
	switch {
	case !ok:
		return s, "denied:policy=" + policy, nil
	case policy != "":
		return s, decisionAllowed + ":policy=" + policy, nil
	}
	return s, decisionAllowed, nil
}

// deliver writes what makes a fetch durable. A honey secret makes it an alarm.
func (o *op) deliver(f fetch) error {
	if err := o.useAttested(f.attested); err != nil {
		return err
	}
	o.record.resources = f.resources
	if len(f.honey) == 0 {
		return nil
	}
	for _, path := range f.honey {
		o.alarm(record{action: access.HoneyTokenAccess, agent: f.agent.AgentID, project: f.token.Project, resource: path})
	}
	o.record.status, o.verdict = statusDenied, errHoney
	if _, err := o.revokeTokens(f.token.Namespace, f.token.Project); err != nil {
		return err
	}
	a := f.agent
	a.Frozen = true
	return agents.Put(o.Tx, a)
}
