package vault

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"slices"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/token"
)

// IssueAccessToken answers an assertion that an agent signed (RFC 7523) with an
// access token, which ends the one before. The agent must have a device that was
// approved with a proof of this key, and used within the last 90 days. Anything
// else is [ErrUnauthorized], [ErrClockSkew] or [ErrReplay].
func (v *Vault) IssueAccessToken(ctx context.Context, from access.Origin, assertion opaque.Bytes) (t DeviceToken, err error) {
	k, release, err := v.use()
	if err != nil {
		return DeviceToken{}, err
	}
	defer release()
	a, claims, err := v.asserted(ctx, k, from, string(assertion.Reveal()))
	if err != nil {
		return DeviceToken{}, v.failAuth(ctx, k, from, record{action: access.DeviceLogin}, err)
	}
	by := a.caller("agent-assertion", "", from)
	err = v.doWith(ctx, k, by, record{action: access.AccessTokenIssue, agent: a.AgentID}, func(o *op) error {
		now, err := o.goodAgent(a.ID)
		if err != nil {
			return err
		}
		if !slices.Equal(now.Public, a.Public) {
			return ErrUnauthorized
		}
		if err := o.use(message{TS: claims.IssuedAt, By: "assertion:" + a.ID, Once: claims.ID}); err != nil {
			return err
		}
		d, err := o.provedDevice(now)
		if err != nil {
			return err
		}
		o.record.resource = d.ID
		t, err = o.mintAccess(d)
		return err
	})
	if err != nil {
		return DeviceToken{}, v.failAuth(ctx, k, from, record{action: access.DeviceLogin, agent: a.AgentID}, err)
	}
	return t, nil
}

// LogOutDevice ends every log-in of the agent that asks, at once, with its sessions
// and tokens, and returns how many log-ins that were. What was approved for it
// stays.
func (v *Vault) LogOutDevice(ctx context.Context, by access.Caller) (rows int, err error) {
	err = v.do(ctx, by, record{action: access.DeviceLogout, agent: by.Name}, func(o *op) error {
		a, err := o.goodAgent(by.ID)
		if err != nil {
			return err
		}
		rows, err = o.endDevices(a)
		return err
	})
	return rows, err
}

// asserted returns the agent that signed an assertion.
func (v *Vault) asserted(ctx context.Context, k *keys, from access.Origin, text string) (a agentRow, c token.Assertion, err error) {
	who, err := token.AssertionSubject(text)
	if err != nil || checkAgentID("", who) != nil {
		return a, c, ErrUnauthorized
	}
	err = v.db.View(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.Nobody(from), record{})
		candidates, err := gather(agentsByID.All(tx, store.Key(who)))
		if err != nil {
			return err
		}
		if len(candidates) == 0 { // which takes as long as one
			candidates = []agentRow{{Public: nobodysKey}}
		}
		err = ErrUnauthorized
		for _, a = range candidates {
			if c, err = token.ParseAssertion(text, ed25519.PublicKey(a.Public)); err == nil {
				break
			}
		}
		if err != nil || a.ID == "" || c.Check(o.now) != nil {
			return ErrUnauthorized
		}
		if _, err := o.goodAgent(a.ID); err != nil {
			return err
		}
		return o.fresh(message{TS: c.IssuedAt, By: "assertion:" + a.ID, Once: c.ID})
	})
	return a, c, err
}

// provedDevice returns the agent's newest device that has its key, and that was
// used lately.
func (o *op) provedDevice(a agentRow) (deviceRow, error) {
	all, err := gather(devicesByAgent.All(o.Tx, store.Key(a.ID)))
	if err != nil {
		return deviceRow{}, err
	}
	all = slices.DeleteFunc(all, func(d deviceRow) bool {
		return d.Status != deviceIssued || !slices.Equal(d.Public, a.Public) || d.Expires <= o.now.UnixNano()
	})
	if len(all) == 0 {
		return deviceRow{}, ErrUnauthorized
	}
	return slices.MaxFunc(all, func(a, b deviceRow) int { return cmp.Compare(a.Approved, b.Approved) }), nil
}

// proveDaemon checks what a daemon signed with its agent's key, if anything, and
// that it is not less than the agent has shown before. It returns the agent.
func (o *op) proveDaemon(by access.Caller, r AttestRequest, required bool) (agentRow, error) {
	a, err := o.goodAgent(by.ID)
	if err != nil {
		return a, err
	}
	if r.Proof == nil {
		if a.Proved || required {
			return a, ErrProofRequired
		}
		return a, nil
	}
	if !r.Proof.signedBy(a, r) {
		return a, ErrUnauthorized
	}
	if err := o.use(message{TS: r.Proof.TS, By: "attest:" + a.ID, Once: r.Proof.Nonce}); err != nil {
		return a, err
	}
	if a.Proved {
		return a, nil
	}
	a.Proved = true
	return a, agents.Put(o.Tx, a)
}
