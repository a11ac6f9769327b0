package vault

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// AuthenticateDevice returns the agent whose device access token this is, else
// [ErrUnauthorized]: the token must be signed by this vault, of its time and
// for daemons, its device must stand, and its agent must exist.
func (v *Vault) AuthenticateDevice(ctx context.Context, accessToken opaque.Bytes, from access.Origin) (access.Caller, error) {
	k, release, err := v.use()
	if err != nil {
		return access.Caller{}, err
	}
	defer release()
	by, err := v.device(ctx, k, accessToken, from)
	if errors.Is(err, ErrUnauthorized) {
		err = v.fail(ctx, k, from, record{action: access.DeviceLogin}, ErrUnauthorized)
	}
	return by, err
}

func (v *Vault) device(ctx context.Context, k *keys, accessToken opaque.Bytes, from access.Origin) (by access.Caller, err error) {
	c, err := token.Parse(string(accessToken.Reveal()), k.publicKey)
	if err != nil {
		return by, ErrUnauthorized
	}
	if c.Check(time.Now(), token.AudienceDaemon) != nil {
		return by, ErrUnauthorized
	}
	err = v.db.View(ctx, func(tx *store.Tx) error {
		d, err := devicesByJTI.Get(tx, store.Key(c.ID))
		if err != nil {
			return err
		}
		a, err := agents.Get(tx, store.Key(d.Agent))
		if err != nil {
			return err
		}
		if d.Status != deviceIssued || a.ID != c.RowID || a.AgentID != c.Subject {
			return store.ErrNotFound
		}
		by = a.caller("device-token", c.ID, from)
		return v.newOp(tx, k, by, record{}).thawed(a)
	})
	if isNotFound(err) {
		err = ErrUnauthorized
	}
	return by, err
}

// AttestRequest is what a daemon says of itself. All but the key is its own
// word: good against mistakes, not against the holder of the agent's key.
type AttestRequest struct {
	// Key is the public half of the key born with the daemon's process, in
	// URL-safe base64 without padding.
	Key string
	// BinarySHA256 is the hash of its program.
	BinarySHA256 string
	Version      *string
	PID, UID     *int64
	Hostname     *string
	// Proof is what the agent's key signed of all that; nil in the bare form.
	Proof *AttestProof
}

// An AttestProof binds a daemon's new key to its agent's.
type AttestProof struct {
	Nonce     string
	TS        int64  // Unix seconds
	BootID    string // of the host
	StartedAt int64  // of the process, Unix seconds
	// Proof is the signature over [proof.DaemonInit.Message], in URL-safe base64
	// without padding.
	Proof string
}

// signedBy reports whether p is a's signature over r.
func (p AttestProof) signedBy(a agentRow, r AttestRequest) bool {
	sig, err := proof.DecodeSignatureURL(p.Proof)
	if err != nil || !proof.ValidNonce(p.Nonce) || !proof.Plain(p.BootID, maxVersion) || !proof.Plain(r.BinarySHA256, maxVersion) || r.PID == nil {
		return false
	}
	return ed25519.Verify(a.Public, proof.DaemonInit{
		Nonce: p.Nonce, TS: p.TS, AgentID: a.AgentID, AttestationPub: r.Key, BinarySHA256: r.BinarySHA256,
		BootID: p.BootID, StartedAt: p.StartedAt, PID: *r.PID,
	}.Message(), sig)
}

func (r AttestRequest) validate() (ed25519.PublicKey, error) {
	pub, err := proof.DecodeKeyURL(r.Key)
	if err != nil {
		return nil, invalid("attestation_pub", "must be an Ed25519 public key in URL-safe base64 without padding")
	}
	if strings.TrimSpace(r.BinarySHA256) == "" || len(r.BinarySHA256) > maxVersion {
		return nil, invalid("binary_sha256", "must be 1 to %d bytes long", maxVersion)
	}
	return pub, errors.Join(
		checkLine("binary_sha256", &r.BinarySHA256, maxVersion),
		checkLine("daemon_version", r.Version, maxVersion),
		checkLine("hostname", r.Hostname, maxHostname),
	)
}

// AttestResult is a new session.
type AttestResult struct {
	SessionID string
	// ExpiresIn is when the daemon should have renewed it.
	ExpiresIn time.Duration
	// AllowlistEnforced tells whether only listed binaries are let in.
	AllowlistEnforced bool
}

// Attest opens a session for the daemon of an agent, and ends the agent's
// older ones. It returns [ErrBinaryNotAllowed] or [ErrBinaryDisabled] where
// there is an allowlist, and [ErrTooMany] for one that comes too often.
func (v *Vault) Attest(ctx context.Context, by access.Caller, r AttestRequest) (res AttestResult, err error) {
	pub, err := r.validate()
	if err != nil {
		return AttestResult{}, err
	}
	k, release, err := v.use()
	if err != nil {
		return AttestResult{}, err
	}
	defer release()
	if err := v.mayAttest(ctx, k, by, r.BinarySHA256); err != nil {
		return AttestResult{}, err
	}
	rec := record{action: access.DaemonAttest, agent: by.Name, resource: r.BinarySHA256}
	err = v.doWith(ctx, k, by, rec, func(o *op) error {
		d, err := devicesByJTI.Get(o.Tx, store.Key(by.Credential))
		if isNotFound(err) {
			return ErrUnauthorized // deleted since it was authenticated
		}
		if err != nil {
			return err
		}
		if _, err := o.proveDaemon(by, r, v.cfg.RequireAttestProof); err != nil {
			return err
		}
		res = AttestResult{SessionID: uuid.NewString(), ExpiresIn: sessionAnswer}
		if res.AllowlistEnforced, err = o.letIn(by, r.BinarySHA256, v.cfg.attestLimit()); err != nil {
			return err
		}
		return o.newSession(by, sessionRow{
			ID: res.SessionID, Agent: by.ID, AgentID: by.Name, Namespace: by.Namespace, Public: pub,
			Binary: r.BinarySHA256, Version: r.Version, PID: r.PID, UID: r.UID, Hostname: r.Hostname,
			Created: o.now.UnixNano(), Expires: r.lasts(o.now, d).UnixNano(),
		})
	})
	if err != nil {
		return AttestResult{}, v.failAuth(ctx, k, by.Origin, record{action: access.DaemonAttest, agent: by.Name}, err)
	}
	return res, nil
}

// lasts returns when a session ends. One that was opened with a proof is renewed;
// daemons that know no proof never renew, and are let in for as long as their
// access token is good.
func (r AttestRequest) lasts(now time.Time, d deviceRow) time.Time {
	if r.Proof != nil {
		return now.Add(sessionAnswer)
	}
	return nanos(d.Expires)
}

// mayAttest asks beforehand whether a daemon would be let in. Refusals are
// counted as failures are, because a daemon chooses how often it tries.
func (v *Vault) mayAttest(ctx context.Context, k *keys, by access.Caller, sha string) error {
	err := v.db.View(ctx, func(tx *store.Tx) error {
		_, err := v.newOp(tx, k, by, record{}).letIn(by, sha, v.cfg.attestLimit())
		return err
	})
	rejected := record{action: access.DaemonAttestRejected, agent: by.Name, resource: sha, status: statusDenied, namespace: by.Namespace}
	switch {
	case errors.Is(err, ErrTooMany):
		rejected.status = statusAlarm
	case !errors.Is(err, ErrBinaryDisabled) && !errors.Is(err, ErrBinaryNotAllowed):
		return translate(err)
	}
	return v.fail(ctx, k, by.Origin, rejected, err)
}

// letIn returns nil for a daemon that may open a session now.
func (o *op) letIn(by access.Caller, sha string, limit int) (enforced bool, err error) {
	enforced, refusal, err := o.admit(sha)
	if err == nil {
		err = refusal
	}
	if err == nil {
		err = o.paced(by.ID, limit)
	}
	return enforced, err
}

// admit asks the allowlist, which is in force once it has a row. The refusal is
// [ErrBinaryNotAllowed] or [ErrBinaryDisabled].
func (o *op) admit(sha string) (enforced bool, refusal, err error) {
	row, err := allowedDaemons.Get(o.Tx, store.Key(sha))
	switch {
	case err == nil && row.Enabled:
		return true, nil, nil
	case err == nil:
		return true, ErrBinaryDisabled, nil
	case !isNotFound(err):
		return false, nil, err
	}
	for _, err := range allowedDaemons.All(o.Tx, "") {
		return true, ErrBinaryNotAllowed, err
	}
	return false, nil, nil
}

// paced returns [ErrTooMany] for an agent that opened limit sessions just now.
func (o *op) paced(agent string, limit int) error {
	if limit < 0 {
		return nil
	}
	recent := 0
	for s, err := range sessionsByAgent.All(o.Tx, store.Key(agent)) {
		if err != nil {
			return err
		}
		if age := o.now.UnixNano() - s.Created; age >= 0 && age < int64(attestWindow) {
			recent++
		}
	}
	if recent >= limit {
		return ErrTooMany
	}
	return nil
}

// newSession ends the agent's other sessions and opens s. An agent that lives
// on two hosts at once is an alarm.
func (o *op) newSession(by access.Caller, s sessionRow) error {
	ended, err := o.endSessions(by.ID)
	if err != nil {
		return err
	}
	for _, old := range ended {
		if orEmpty(old.Hostname) != orEmpty(s.Hostname) {
			o.alarm(record{action: access.AgentOnTwoHosts, agent: by.Name, resource: orEmpty(s.Hostname)})
			break
		}
	}
	return sessions.Insert(o.Tx, s)
}
