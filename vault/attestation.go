package vault

import (
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
	message seenRow
}

// AgentRow returns the row id of the agent whose daemon made the request.
func (a *Attested) AgentRow() string { return a.agent }

// CheckAttestation verifies the attestation of a request before its body is
// looked into: method and path are those of the route, bodySHA256 is the hash
// of the body as it came. It returns nil, and no error, where attestation is
// not required; else [ErrUnauthorized], [ErrClockSkew] or [ErrReplay] for one
// that is missing or not good.
func (v *Vault) CheckAttestation(ctx context.Context, from access.Origin, method, path string, att *proof.Attestation, bodySHA256 string) (*Attested, error) {
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
		a, err = o.attested(att, method, path, bodySHA256)
		return err
	})
	if err != nil {
		return nil, v.failAuth(ctx, k, from, record{action: access.Attestation}, err)
	}
	return &a, nil
}

// attested verifies an attestation against its session.
func (o *op) attested(att *proof.Attestation, method, path, bodySHA256 string) (Attested, error) {
	if att == nil || subtle.ConstantTimeCompare([]byte(att.BodySHA256), []byte(bodySHA256)) != 1 {
		return Attested{}, ErrUnauthorized
	}
	s, err := o.liveSession(att.SessionID)
	if err != nil {
		return Attested{}, err
	}
	if !ed25519.Verify(s.Public, att.Message(method, path), att.Signature) {
		return Attested{}, ErrUnauthorized
	}
	a := Attested{
		session: s.ID, agent: s.Agent, tokenID: att.AuthTokenID,
		message: seenRow{TS: att.TS, By: "daemon:" + s.Agent, Once: att.JTI},
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
	if isNotFound(err) || err == nil && a.Frozen {
		return agentRow{}, ErrUnauthorized
	}
	return a, err
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
	case !errors.Is(err, ErrUnauthorized):
		return translate(err)
	}
	return v.fail(ctx, k, from, r, err)
}
