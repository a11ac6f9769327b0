package vault

import (
	"context"
	"errors"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// How often the house is kept, and how much of it in one transaction, so that
// nobody waits long behind it.
const (
	keepEvery  = time.Minute
	keepAtOnce = 500
)

// Run keeps house until ctx ends: it goes on with a rotation or a compaction that
// was cut off as soon as the vault is unsealed, writes the counts of failures, forgets
// old messages, deletes log-ins and projects that came to nothing, says which
// secrets expire, destroys those that were deleted a while ago, and once an hour
// logs the signed head of the audit trail. It returns
// nil when ctx ends; other errors are logged, and it goes on.
func (v *Vault) Run(ctx context.Context) error {
	tick, head := time.NewTicker(keepEvery), time.NewTicker(headEvery)
	defer tick.Stop()
	defer head.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.opened:
			v.keepRotating(ctx)
		case done := <-v.rotate:
			v.keepRotating(ctx)
			close(done)
		case <-head.C:
			v.logHead(ctx)
		case <-tick.C:
			if v.Sealed() {
				continue
			}
			v.keepRotating(ctx)
			if err := v.keepHouse(ctx); err != nil && ctx.Err() == nil {
				v.cfg.log().Error("keeping house", "err", err)
			}
		}
	}
}

// keepRotating goes on with a rotation that is under way, as after a restart.
func (v *Vault) keepRotating(ctx context.Context) {
	err := v.finishRotation(ctx)
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrSealed) {
		v.cfg.log().Error("the rotation goes on later", "err", err)
	}
}

func (v *Vault) keepHouse(ctx context.Context) error {
	err := v.flushFailures(ctx)
	for _, purge := range []func(*op, int) (int, error){
		(*op).purgeSeen, (*op).purgeDevices, (*op).purgeProjects, (*op).purgeLogins, (*op).purgePendings,
		(*op).purgeBursts, (*op).purgeDeadLetters, (*op).purgeJournals,
	} {
		err = errors.Join(err, v.purge(ctx, purge))
	}
	for _, tend := range []func(*op, int) ([]record, error){(*op).remind, (*op).purgeDeleted, (*op).expirePendings, (*op).expirePins} {
		err = errors.Join(err, v.tend(ctx, tend))
	}
	return errors.Join(err, v.pruneAudit(ctx), v.checkWraps(ctx))
}

// purge runs a purge in small transactions until it finds nothing more. It is
// not recorded: what it deletes had ended before.
func (v *Vault) purge(ctx context.Context, fn func(*op, int) (int, error)) error {
	for n := keepAtOnce; n == keepAtOnce; {
		var err error
		if n, err = v.purgeSome(ctx, fn); err != nil {
			return err
		}
	}
	return nil
}

func (v *Vault) purgeSome(ctx context.Context, fn func(*op, int) (int, error)) (n int, err error) {
	k, release, err := v.use()
	if err != nil {
		return 0, err
	}
	defer release()
	var done *op
	err = v.db.Update(ctx, func(tx *store.Tx) (err error) {
		done = v.newOp(tx, k, access.TheSystem(), record{})
		tx.UseReserve(store.Half) // it makes room
		n, err = fn(done, keepAtOnce)
		return err
	})
	if err == nil {
		v.announce(done)
	}
	return n, err
}

// errNothing: there was nothing to do, and nothing is recorded.
var errNothing = errors.New("nothing to do")

// tend does, in transactions of bounded size, work that is recorded entry by
// entry, until it finds nothing more.
func (v *Vault) tend(ctx context.Context, fn func(*op, int) ([]record, error)) error {
	for n := keepAtOnce; n == keepAtOnce; {
		err := v.do(ctx, access.TheSystem(), record{}, func(o *op) error {
			said, err := fn(o, keepAtOnce)
			if err != nil {
				return err
			}
			if n = len(said); n == 0 {
				return errNothing
			}
			o.record, o.also = said[0], said[1:]
			return nil
		})
		if errors.Is(err, errNothing) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// purgeDevices deletes log-ins whose code ran out, or whose token did a while
// ago.
func (o *op) purgeDevices(n int) (int, error) {
	now, before := o.now.UnixNano(), o.now.Add(-deviceKept).UnixNano()
	return dropAtMost(o, n, devices, func(r deviceRow) bool {
		return r.Expires < before || r.Status == devicePending && r.Expires <= now
	})
}

// purgeProjects deletes tokens that opened nothing and ran out, and with the
// last of them the project that nobody owns.
func (o *op) purgeProjects(n int) (int, error) {
	old, err := atMost(n, tokens.All(o.Tx, ""), func(t tokenRow) bool { return len(t.Mappings) == 0 && t.Expires < o.now.UnixNano() })
	if err != nil {
		return 0, err
	}
	for _, t := range old {
		if err := o.dropToken(t); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}

func (o *op) dropToken(t tokenRow) error {
	if err := tokens.Delete(o.Tx, t.Key()); err != nil {
		return err
	}
	p, err := projects.Get(o.Tx, store.Join(t.Namespace, t.Project))
	if isNotFound(err) || err == nil && p.Owner != "" {
		return nil
	}
	if err != nil {
		return err
	}
	left, err := gather(tokens.All(o.Tx, store.Join(t.Namespace, t.Project)))
	if err != nil || len(left) > 0 {
		return err
	}
	return projects.Delete(o.Tx, p.Key())
}

// checkWraps warns in time of a KEK that is used up.
func (v *Vault) checkWraps(ctx context.Context) error {
	return v.db.View(ctx, func(tx *store.Tx) error {
		w, err := wraps.Get(tx, wrapKey)
		if err != nil {
			return err
		}
		if left, soon := w.left(); soon {
			v.cfg.log().Warn("the key-encryption key is nearly used up", "wraps_left", left)
		}
		return nil
	})
}
