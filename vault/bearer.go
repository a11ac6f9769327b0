package vault

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"strings"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// identify checks token, agent and attestation, and what the fetch is for.
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
	if frozen, err := o.isFrozen(FreezeProject, f.token.Namespace, f.token.Project); err != nil || frozen {
		return f, cmp.Or(err, errFrozen)
	}
	if attest {
		if f.attested, err = o.attestedFetch(f.agent, r); err != nil {
			return f, err
		}
		f.signed = r.Caller != nil
	}
	f.checked, err = o.check(f.token, r.Command)
	return f, err
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

// bearerJWT finds the token that a JWT was minted with. One whose id is nobody's
// any more was replaced, and is refused as a random one would be.
func (o *op) bearerJWT(text, project string) (tokenRow, error) {
	c, err := token.Parse(text, o.keys.publicKey)
	if err != nil {
		return tokenRow{}, ErrUnauthorized
	}
	// Whether it has expired, the row says.
	if err := c.Check(o.now, token.AudienceProject); err != nil && !errors.Is(err, token.ErrExpired) || c.Subject != project {
		return tokenRow{}, ErrUnauthorized
	}
	t, err := tokensByJTI.Get(o.Tx, store.Key(c.ID))
	if isNotFound(err) || err == nil && (t.Project != project || t.Namespace != c.Namespace) {
		return tokenRow{}, ErrUnauthorized
	}
	return t, err
}

// attestedFetch verifies the attestation: of the token's agent, for this token.
func (o *op) attestedFetch(a agentRow, r FetchRequest) (*Attested, error) {
	att, err := o.attested(r.Attestation, r.method(), cmp.Or(r.path, "/project/secrets/"+r.Project))
	if err != nil {
		return nil, err
	}
	want := proof.AuthTokenID(string(r.Bearer.Reveal()))
	if r.Caller != nil && !att.signed(*r.Caller) {
		return nil, ErrUnauthorized
	}
	if att.agent != a.ID || !att.covers(proof.BodyHash(r.Body)) || subtle.ConstantTimeCompare([]byte(att.tokenID), []byte(want)) != 1 {
		return nil, ErrUnauthorized
	}
	return &att, nil
}

func (r FetchRequest) method() string {
	if r.Body != nil {
		return "POST"
	}
	return "GET"
}

// caller returns who asks, and how that was shown.
func (f fetch) caller(from access.Origin) access.Caller {
	auth := "project-token"
	if f.signed {
		auth = "project-token+caller-proof"
	}
	return f.agent.caller(auth, f.token.JTI, from)
}
