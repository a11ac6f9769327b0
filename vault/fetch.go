package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A FetchRequest asks for the values of a project's secrets.
type FetchRequest struct {
	// Project is the name as in the path of the request.
	Project string
	// Bearer is the project token, or its JWT.
	Bearer opaque.Bytes
	// Attestation is the daemon's signature over GET
	// /project/secrets/<Project> without a body, or over POST with Body; nil if there
	// was none.
	Attestation *proof.Attestation
	// Body is that of a POST; nil for a GET.
	Body []byte
	// Command is what the values are for, as the daemon says in the body; nil if it
	// does not.
	Command *pinned.Command
	// Caller comes with what the request says of the process that it is for; nil
	// if that is not signed.
	Caller *CallerProof

	// What the attestation signs in its place, if something else is asked for.
	path string
}

// A FetchResult holds what a project gets.
type FetchResult struct {
	// Values are the values by variable. The caller wipes them.
	Values map[string]opaque.Bytes
	// SSHKeys are what a project may know of its keys, by variable.
	SSHKeys map[string]SSHPublic
	// Withheld are the variables of the token that it no longer opens,
	// because a grant, a secret or a policy changed; sorted.
	Withheld []string
	// Offline says for how long the values may be used while the vault is away;
	// nil for not at all.
	Offline *Offline
	// Commands is the project's.
	Commands Commands
	// Pin is what allows the command, where nothing else is let through.
	Pin *AllowedPin
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
var fetchBuckets = []store.Named{agents, sessions, allowedDaemons, tokens, grants, policies, secrets, secretValues, shares, freezes, projectSettings, pins}

// FetchSecrets returns the values that a project token opens. They leave only
// after the audit entry that names every one of them is durable. It returns
// [ErrUnauthorized] for a token or attestation that is not good,
// [ErrTokenRevoked] or [ErrTokenExpired] for a token that was, [ErrClockSkew]
// and [ErrReplay]; a [*CommandError] where the project asks for an approved command
// and this is none. A honey secret among them revokes the project's tokens,
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
	by := f.caller(from)
	rec := record{action: access.GetSecrets, agent: f.agent.AgentID, project: r.Project, resource: r.Project}
	err = v.doWith(ctx, k, by, rec, func(o *op) error {
		if o.Changed(snapshot, fetchBuckets...) {
			f.wipe()
			if f, err = o.authorize(v.cfg.RequireAttestation, r); err != nil {
				return err
			}
		}
		return o.deliver(&f)
	})
	if err != nil {
		return FetchResult{}, v.failFetch(ctx, k, from, f, err)
	}
	return f.FetchResult, nil
}

// letOut has a request authorised, and what it comes to leave, as FetchSecrets does: the work
// in a View, and a short Update behind it. Authorize sets what f is a part of, also where it
// fails; about says then what is recorded. A refusal of a good token's agent is recorded, too.
func (v *Vault) letOut(ctx context.Context, k *keys, from access.Origin, f *fetch, authorize func(*op) error, about func() record) error {
	var snapshot store.Snapshot
	err := v.db.View(ctx, func(tx *store.Tx) error {
		snapshot = tx.Snapshot()
		return authorize(v.newOp(tx, k, access.Nobody(from), record{}))
	})
	if err != nil && f.agent.ID == "" {
		return v.failFetch(ctx, k, from, *f, err)
	}
	by, rec := f.caller(from), about()
	rec.agent = f.agent.AgentID
	if _, refused := refusal(translate(err)); refused {
		rec.resources = f.resources
		return v.refused(ctx, k, by, rec, translate(err))
	}
	if err == nil {
		err = v.doWith(ctx, k, by, rec, func(o *op) error {
			if o.Changed(snapshot, fetchBuckets...) {
				if err := authorize(o); err != nil {
					return err
				}
			}
			return o.deliver(f)
		})
	}
	if err != nil {
		return v.failFetch(ctx, k, from, *f, err)
	}
	return nil
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
	signed    bool // the session's key signed who it is for
	resources []audit.Resource
	honey     []string // paths of honey secrets
	size      int      // of Values, in bytes
	offline   time.Duration
	checked   checked
}

// errHoney: the fetch touched a honey secret.
var errHoney = errors.New("honey secret")

// authorize checks everything and opens the values. On an error the fetch
// still says which token it was, if that is known.
func (o *op) authorize(attest bool, r FetchRequest) (f fetch, err error) {
	if f, err = o.identify(attest, r); err != nil || f.refused() {
		return f, err
	}
	f.Commands = f.checked.mode
	if f.Commands == CommandsEnforce {
		f.Pin = f.checked.allowed
	}
	if f.offline, err = o.offlineTTL(f); err != nil {
		return f, err
	}
	return f, o.open(&f)
}

// refused reports whether it is for a command that is not allowed. Nothing is opened
// then.
func (f fetch) refused() bool { return f.checked.refused != nil }

// deliver writes what makes a fetch durable. A honey secret makes it an alarm.
func (o *op) deliver(f *fetch) error {
	// Whether the session is good was asked when the fetch was authorised, and
	// what that rests on is among fetchBuckets.
	if f.attested != nil {
		if err := o.use(f.attested.message); err != nil {
			return err
		}
	}
	o.record.resources = slices.Clip(f.resources)
	if err := o.answer(*f); err != nil || f.refused() {
		return err
	}
	if len(f.honey) == 0 {
		o.lend(f)
		return nil
	}
	for _, path := range f.honey {
		o.alarm(record{action: access.HoneyTokenAccess, agent: f.agent.AgentID, project: f.token.Project, resource: path})
	}
	return o.spring(f.agent, f.token.Project)
}

// spring is what a trap does: it ends the tokens of the project, and freezes
// the agent.
func (o *op) spring(a agentRow, project string) error {
	o.record.status, o.verdict = statusDenied, errHoney
	if _, err := o.revokeTokens(a.Namespace, project); err != nil {
		return err
	}
	return o.freezeAgent(a, "it asked for a honey secret")
}
