package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/subtle"
	"errors"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/proof"
)

// Attested is a request whose attestation was verified. It is used up by the
// operation it is handed to.
type Attested struct {
	session string // id
	agent   string // row id
	tokenID string // what the attestation says the request is authorised by
	body    string // the hash of the body that was signed, in hex
	key     ed25519.PublicKey
	message message
}

// AgentRow returns the row id of the agent whose daemon made the request.
func (a *Attested) AgentRow() string { return a.agent }

// CheckAttestation verifies the attestation of a request before its body is
// read: method and path are those of the route. What it returns is good for no
// body but the one that [Vault.CheckBody] accepts. It is nil, with no error,
// where attestation is not required; else the error is [ErrUnauthorized],
// [ErrClockSkew] or [ErrReplay] for one that is missing or not good.
func (v *Vault) CheckAttestation(ctx context.Context, from access.Origin, method, path string, att *proof.Attestation) (*Attested, error) {
	k, release, err := v.use()
	if err != nil || !v.cfg.RequireAttestation {
		if err == nil {
			release()
		}
		return nil, err
	}
	defer release()
	var a Attested
	err = v.db.View(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.Nobody(from), record{})
		a, err = o.attested(att, method, path)
		return err
	})
	if err != nil {
		return nil, v.failAuth(ctx, k, from, record{action: access.Attestation}, err)
	}
	return &a, nil
}

// CheckBody verifies that body is the one that was attested, else
// [ErrUnauthorized]. Where attestation is not required, a is nil, and every
// body will do.
func (v *Vault) CheckBody(ctx context.Context, from access.Origin, a *Attested, body []byte) error {
	if a == nil || a.covers(proof.BodyHash(body)) {
		return nil
	}
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	return v.failAuth(ctx, k, from, record{action: access.Attestation}, ErrUnauthorized)
}

// AuthenticateDaemon returns the agent whose attested daemon signed a request
// without a body, with the session as its credential. Its attestation, which
// it asks for in every case, is used up: of an agent that only asks how things
// stand no more is recorded. Errors are as for [Vault.CheckAttestation].
func (v *Vault) AuthenticateDaemon(ctx context.Context, from access.Origin, method, path string, att *proof.Attestation) (access.Caller, error) {
	k, release, err := v.use()
	if err != nil {
		return access.Caller{}, err
	}
	defer release()
	var a Attested
	var agent agentRow
	err = v.db.View(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.Nobody(from), record{})
		if a, err = o.attested(att, method, path); err != nil {
			return err
		}
		if agent, err = o.goodAgent(a.agent); err != nil {
			return err
		}
		if !a.covers(proof.BodyHash(nil)) || !a.by(agent) {
			return ErrUnauthorized
		}
		return nil
	})
	if err == nil {
		err = v.db.Update(ctx, func(tx *store.Tx) error {
			return v.newOp(tx, k, access.Nobody(from), record{}).useAttested(&a)
		})
	}
	if err != nil {
		return access.Caller{}, v.failAuth(ctx, k, from, record{action: access.Attestation, agent: agent.AgentID}, err)
	}
	return agent.caller("attestation", a.session, from), nil
}

// covers reports whether bodySHA256 was attested.
func (a *Attested) covers(bodySHA256 string) bool {
	return subtle.ConstantTimeCompare([]byte(a.body), []byte(bodySHA256)) == 1
}

// A CallerProof is the signature of a session's key over what a request says of the
// process that it is for.
type CallerProof struct {
	// Digest is [proof.CallerDigest] of what it says.
	Digest string
	// Signature is in URL-safe base64 without padding.
	Signature string
}

// signed reports whether the session that attested a request signed p for it.
func (a *Attested) signed(p CallerProof) bool {
	sig, err := proof.DecodeSignatureURL(p.Signature)
	return err == nil && ed25519.Verify(a.key, proof.CallerMessage(a.message.Once, p.Digest), sig)
}

// attested verifies an attestation against its session. What is known of the
// body is for [Attested.covers].
func (o *op) attested(att *proof.Attestation, method, path string) (Attested, error) {
	if att == nil {
		return Attested{}, ErrUnauthorized
	}
	s, err := o.liveSession(att.SessionID)
	if err != nil {
		return Attested{}, err
	}
	return o.attestedBy(s, att, method, path)
}

// attestedEver is attested for a session that may have ended, and an agent that may
// be frozen: it shows who sends something, and gives no right.
func (o *op) attestedEver(att *proof.Attestation, method, path string) (Attested, error) {
	if att == nil {
		return Attested{}, ErrUnauthorized
	}
	s, err := sessions.Get(o.Tx, store.Key(att.SessionID))
	if isNotFound(err) {
		err = ErrUnauthorized
	}
	if err != nil {
		return Attested{}, err
	}
	return o.attestedBy(s, att, method, path)
}

// attestedBy verifies the signature of an attestation, and that it is fresh.
func (o *op) attestedBy(s sessionRow, att *proof.Attestation, method, path string) (Attested, error) {
	if !ed25519.Verify(s.Public, att.Message(method, path), att.Signature) {
		return Attested{}, ErrUnauthorized
	}
	a := Attested{
		session: s.ID, agent: s.Agent, tokenID: att.AuthTokenID, body: att.BodySHA256, key: s.Public,
		message: message{TS: att.TS, By: "daemon:" + s.Agent, Once: att.JTI},
	}
	return a, o.fresh(a.message)
}

// liveSession returns a session that is good, of an agent that is, with a
// binary that may still attest, else [ErrUnauthorized].
func (o *op) liveSession(id string) (sessionRow, error) {
	s, err := sessions.Get(o.Tx, store.Key(id))
	if isNotFound(err) || err == nil && !s.live(o.now) {
		return s, ErrUnauthorized
	}
	if err != nil {
		return s, err
	}
	if _, err := o.goodAgent(s.Agent); err != nil {
		return s, err
	}
	_, refusal, err := o.admit(s.Binary)
	if err == nil && refusal != nil {
		err = ErrUnauthorized
	}
	return s, err
}

// goodAgent returns an agent that exists and is not frozen, else
// [ErrUnauthorized].
func (o *op) goodAgent(id string) (agentRow, error) {
	a, err := agents.Get(o.Tx, store.Key(id))
	if isNotFound(err) {
		return agentRow{}, ErrUnauthorized
	}
	return a, cmp.Or(err, o.thawed(a))
}

// useAttested checks what may have changed since an attestation was verified,
// and remembers it.
func (o *op) useAttested(a *Attested) error {
	if a == nil {
		return nil
	}
	if _, err := o.liveSession(a.session); err != nil {
		return err
	}
	return o.use(a.message)
}

// failAuth records err if it means that credentials were not good, and returns
// it.
func (v *Vault) failAuth(ctx context.Context, k *keys, from access.Origin, r record, err error) error {
	switch {
	case errors.Is(err, ErrTokenRevoked):
		r.status = statusRevoked
	case errors.Is(err, ErrTokenExpired):
		r.status = statusExpired
	case errors.Is(err, ErrReplay):
		r.status = "replay"
	case errors.Is(err, ErrClockSkew):
		r.status = "clock_skew"
	case errors.Is(err, errFrozen):
		r.status = statusFrozen
	case !errors.Is(err, ErrUnauthorized):
		return translate(err)
	}
	return v.fail(ctx, k, from, r, err)
}
