// Package vault holds the rules of the house: what is kept, who may have it,
// and what is written down about every use.
//
// A [Vault] stands on a [store.DB] and starts sealed. [Vault.Init] makes its
// keys, [Vault.Unseal] brings them back; until then every operation returns
// [ErrSealed]. Operations come one file per noun: a secret, an agent, a
// project, a grant. Each takes the [access.Caller] who asks, so none can be
// reached without having authenticated somebody, and each passes one of two
// gates: do, for what changes the vault or lets a value out, writes the audit
// record in the same transaction; look, for lists of names, writes none. Both ask
// in their transaction whether an account is still logged in.
//
// Nothing in here knows HTTP. Errors that callers branch on are the sentinels
// of errors.go; any other error is the operator's business and not the
// caller's.
package vault

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
)

// Config is what a Vault needs to know.
type Config struct {
	// DB is where everything is kept. It stays the caller's, who closes it
	// after the Vault.
	DB *store.DB
	// Log receives what operators should know. If nil, nothing is logged.
	Log *slog.Logger
	// Params is the cost of key slots made from now on. If zero, a slot costs
	// what the one does whose place it takes, and the first one of a vault
	// [keyring.Usual].
	Params keyring.Params
	// TestOnlyAccountCost takes the place of [keyring.AccountCost], if not zero.
	// Accounts know no password that was kept at another cost.
	TestOnlyAccountCost keyring.Params
	// RequireAttestation makes discovery and fetches need the signature of an
	// attested daemon. It is false only where an operator said so.
	RequireAttestation bool
	// AttestLimit is how many sessions an agent may open within 30 seconds. If
	// zero, 2; if negative, any number.
	AttestLimit int
	// RequireDeviceProof refuses log-ins in which the host does not prove to have
	// the agent's key; RequireAttestProof likewise sessions. Agents that have
	// proved it once cannot do without in any case.
	RequireDeviceProof, RequireAttestProof bool
	// TwoPerson makes what could give the vault away (splitting or changing its
	// key, restoring an old copy, super accounts) wait for a second super account.
	TwoPerson bool
	// FreezeOnHoneyName makes an agent that asks for a honey secret by its
	// name, without a grant, be frozen as if it had fetched it. Otherwise that
	// is an alarm only.
	FreezeOnHoneyName bool
	// AuditRetention is how long the records of the trail are kept, until
	// [Vault.KeepAudit] says otherwise. If zero, for ever.
	AuditRetention time.Duration
}

func (c Config) log() *slog.Logger { return cmp.Or(c.Log, slog.New(slog.DiscardHandler)) }
func (c Config) attestLimit() int  { return cmp.Or(c.AttestLimit, 2) }

// A Vault is one vault. Its methods may be called concurrently.
type Vault struct {
	cfg      Config
	db       *store.DB
	failures failures
	news     news
	tests    tests
	ready    chan struct{} // see OutboxReady
	tried    chan struct{} // has something after an attempt to deliver
	// operations counts what became of them.
	operations operations
	// copying is held while there is a backup that was not closed, exporting
	// while there is such an export of the trail, verifying while somebody has
	// the trail verified.
	copying, exporting, verifying sync.Mutex

	retention atomic.Int64 // how long records are kept, as a time.Duration
	pruned    time.Time    // when this process last looked for old records; for [Vault.Run] alone

	stretching chan struct{}          // held while a password is checked
	deriving   chan struct{}          // held while the operator's password is
	opened     chan struct{}          // has something after the vault was unsealed
	rotate     chan chan struct{}     // asks Run to finish a rotation, and to close what it gets
	rotating   chan struct{}          // held while what is sealed is wrapped anew
	stuck      atomic.Pointer[string] // why the last attempt to finish a rotation failed
	compacting chan struct{}          // held while the file is written anew
	recovered  atomic.Bool            // opened with shares, and no new password since

	// mu guards keys. Every operation holds it for reading, so that sealing
	// waits for what is under way.
	mu   sync.RWMutex
	keys *keys // nil while sealed
}

// New returns the vault kept in c.DB, sealed.
func New(c Config) *Vault {
	v := &Vault{
		cfg: c, db: c.DB, stretching: make(chan struct{}, maxStretching), ready: make(chan struct{}, 1), tried: make(chan struct{}, 1),
		opened:   make(chan struct{}, 1),
		deriving: make(chan struct{}, 1), rotate: make(chan chan struct{}), rotating: make(chan struct{}, 1),
		compacting: make(chan struct{}, 1),
	}
	v.KeepAudit(c.AuditRetention)
	return v
}

// An op is one operation inside its transaction. The function that gets it may
// run more than once, so it sets what it captures and never adds to it.
type op struct {
	*store.Tx
	cfg  *Config
	keys *keys
	by   access.Caller
	now  time.Time
	// record is the entry to be written; the operation completes it.
	record record
	// also are further entries, written after it.
	also []record
	// notices are told to those who watch once all is committed.
	notices []notice
	// sprung tells that a honey secret was asked for by its name.
	sprung bool
	// seq is the number of the last entry written.
	seq uint64
	// queued says that there may be something to deliver, and untold why a
	// message was not queued.
	queued bool
	untold error
	// verdict is returned to the caller although the transaction commits: an
	// operation may refuse and still have something to keep.
	verdict error
	// placed tells that the operation has asked whether the caller may act
	// where it acts. One that has not is none for callers that are confined to
	// some namespaces.
	placed bool
}

func (v *Vault) newOp(tx *store.Tx, k *keys, by access.Caller, r record) *op {
	return &op{Tx: tx, cfg: &v.cfg, keys: k, by: by, now: time.Now(), record: r}
}

// alarm adds an entry that somebody should look at.
func (o *op) alarm(r record) {
	r.status = statusAlarm
	o.also = append(o.also, r)
}

// do is the gate of everything that changes the vault or lets a value out: it
// checks that by may do what r says, runs fn, and writes the audit entry in
// the same transaction. What fn refuses is rolled back and recorded by itself.
func (v *Vault) do(ctx context.Context, by access.Caller, r record, fn func(*op) error) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	return v.doWith(ctx, k, by, r, fn)
}

// may refuses as do does, for an operation that takes a while before it gets to
// that.
func (v *Vault) may(ctx context.Context, by access.Caller, r record) error {
	if by.May(r.action) {
		return nil
	}
	return v.do(ctx, by, r, func(*op) error { return ErrDenied })
}

// doWith is do for a caller that holds the keys.
func (v *Vault) doWith(ctx context.Context, k *keys, by access.Caller, r record, fn func(*op) error) error {
	if !by.May(r.action) {
		return v.refused(ctx, k, by, r, ErrDenied)
	}
	var done *op
	err := v.db.Update(ctx, func(tx *store.Tx) error {
		done = v.newOp(tx, k, by, r)
		if err := done.run(fn); err != nil {
			return err
		}
		return done.write()
	})
	if err != nil {
		return v.refused(ctx, k, by, r, translate(err))
	}
	v.announce(done)
	v.news.publish(done)
	return done.verdict
}

// refused records that an operation was refused, where err is a refusal, and
// returns err.
func (v *Vault) refused(ctx context.Context, k *keys, by access.Caller, r record, err error) error {
	if by.Kind == access.Admin && errors.Is(err, ErrUnauthorized) {
		return v.fail(ctx, k, by.Origin, record{action: r.action}, err)
	}
	status, ok := refusal(err)
	if !ok {
		return err
	}
	r.status = status
	v.operations.add(r.action, status)
	if werr := v.append(ctx, k, by, r); werr != nil {
		return errors.Join(err, werr)
	}
	return err
}

// announce counts an operation that is committed, and tells of it. What has no
// action was not recorded, and is not counted.
func (v *Vault) announce(o *op) {
	for _, r := range o.records() {
		if r.action != "" {
			v.operations.add(r.action, r.status)
		}
	}
	v.tell(o)
}

// tell logs the alarms of what was recorded, and wakes who delivers messages.
func (v *Vault) tell(o *op) {
	if o.untold != nil {
		v.cfg.log().Error("a notification was not queued", "err", o.untold)
	}
	if o.queued {
		v.wake()
	}
	for _, r := range o.records() {
		if r.status == statusAlarm {
			v.cfg.log().Warn("alarm", "action", r.action, "agent", r.agent, "project", r.project, "resource", r.resource)
		}
	}
}

// look is the gate of everything that only reads names. It checks that by may
// do a and runs fn. Of refusals it records those of log-ins that ended.
func (v *Vault) look(ctx context.Context, by access.Caller, a access.Action, fn func(*op) error) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	if !by.May(a) {
		return ErrDenied
	}
	err = translate(v.db.View(ctx, func(tx *store.Tx) error {
		return v.newOp(tx, k, by, record{}).run(fn)
	}))
	if errors.Is(err, ErrUnauthorized) {
		return v.refused(ctx, k, by, record{action: a}, err)
	}
	return err
}

// run calls fn if the caller is still logged in, and refuses what it did if the
// caller is confined and fn did not ask where it may act: a new operation is not
// open to everybody by oversight.
func (o *op) run(fn func(*op) error) error {
	if err := o.stillLoggedIn(); err != nil {
		return err
	}
	if err := fn(o); err != nil {
		return err
	}
	if o.by.Scoped() && !o.placed {
		return ErrDenied
	}
	return nil
}

// within returns [ErrDenied] unless the caller may act in the namespace that it
// named; the empty one is for what is about all of them. It comes before whatever
// depends on what is there.
func (o *op) within(namespace string) error {
	o.placed = true
	if !o.by.Within(namespace) {
		return ErrDenied
	}
	return nil
}

// sees returns [ErrNotFound] unless the caller may act in the namespace of a thing
// that was found: what is elsewhere is for it as if it were not there.
func (o *op) sees(namespace string) error {
	if o.within(namespace) != nil {
		return ErrNotFound
	}
	return nil
}

// anywhere says that an operation is the caller's own business, or that it sees
// to itself what the caller may see.
func (o *op) anywhere() { o.placed = true }

// use returns the keys and a function that gives them back; ErrSealed if
// there are none. A caller that holds them must not ask again.
func (v *Vault) use() (*keys, func(), error) {
	v.mu.RLock()
	if v.keys == nil {
		v.mu.RUnlock()
		return nil, nil, ErrSealed
	}
	return v.keys, v.mu.RUnlock, nil
}

// translate gives the store's errors the vault's names.
func translate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, store.ErrExists):
		return ErrExists
	case errors.Is(err, store.ErrSealed):
		return ErrSealed
	}
	return err
}
