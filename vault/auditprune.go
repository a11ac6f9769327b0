package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/audit"
)

// What pruning takes in a day, at most: the records of two days, from the first
// there is. A clock that steps ahead by a year, by accident or not, makes every
// record old; somebody then has a month to notice.
const (
	pruneEvery = 24 * time.Hour
	pruneSpan  = 48 * time.Hour
	// pruneSteps is how many transactions it takes at a time, of keepAtOnce
	// records each.
	pruneSteps = 100
)

// prunings has the pruning that was begun last.
var prunings = store.Rows[pruningRow]("audit_pruning")

const pruningKey = store.Key("pruning")

// A pruningRow says how far the trail is pruned, or being pruned.
type pruningRow struct {
	Through uint64 `cbor:"1,keyasint"` // the last record that goes
	Begun   int64  `cbor:"2,keyasint"`
}

// Key returns the key of the one row there is.
func (pruningRow) Key() store.Key { return pruningKey }

// A pruning is about to be.
type pruning struct {
	// since is the time of the first record, before that of the first that stays.
	since, before time.Time
	first         uint64
	through       audit.Boundary // the last record that goes, zero for none
	check         *audit.Verifier
	done          bool
}

// KeepAudit has the records of the trail kept for an age from now on, for ever if
// it is zero. What is older goes when the next pruning is due.
func (v *Vault) KeepAudit(age time.Duration) { v.retention.Store(int64(age)) }

// pruneAudit deletes the oldest records, if they are older than they need to be
// kept and it was not done within a day. How far it goes is recorded first, so
// that the trail verifies all the time. While the trail is exported it does
// nothing.
func (v *Vault) pruneAudit(ctx context.Context) error {
	if v.retention.Load() <= 0 || !v.exporting.TryLock() {
		return nil
	}
	defer v.exporting.Unlock()
	due, err := v.pruningDue(ctx)
	if err == nil && due {
		err = v.beginPruning(ctx)
	}
	for n, some := keepAtOnce, 0; err == nil && n == keepAtOnce && some < pruneSteps; some++ {
		n, err = v.purgeSome(ctx, (*op).dropOld)
	}
	if err != nil {
		return fmt.Errorf("pruning the audit trail: %w", err)
	}
	return nil
}

// pruningDue reports whether a day is over since the last pruning: by the time
// of day, which is all that survives a restart, and by what really went by since
// this process did it. A clock that was set back has the day begin anew.
func (v *Vault) pruningDue(ctx context.Context) (due bool, err error) {
	if !v.pruned.IsZero() && time.Since(v.pruned) < pruneEvery {
		return false, nil
	}
	k, release, err := v.use()
	if err != nil {
		return false, err
	}
	defer release()
	err = v.db.Update(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.TheSystem(), record{})
		row, err := prunings.Get(tx, pruningKey)
		if due = isNotFound(err); due {
			return nil
		}
		since := o.now.Sub(nanos(row.Begun))
		if due = since >= pruneEvery; due || err != nil || since >= 0 {
			return err
		}
		row.Begun = o.now.UnixNano()
		return prunings.Put(tx, row)
	})
	return due, err
}

// beginPruning finds out what is to go, and records it. What cannot be done for
// another reason than a full disk is tried again in a day.
func (v *Vault) beginPruning(ctx context.Context) (err error) {
	defer func() {
		if !errors.Is(err, store.ErrFull) {
			v.pruned = time.Now()
		}
	}()
	p, err := v.findOld(ctx)
	if err != nil || p.through.Seq == 0 {
		return err
	}
	rec := record{action: access.PruneAudit, resource: p.through.String()}
	rec.about("records", fmt.Sprintf("%d to %d, %s to %s", p.first, p.through.Seq, p.since.Format(time.RFC3339), p.before.Format(time.RFC3339)))
	return v.do(ctx, access.TheSystem(), rec, func(o *op) error {
		return prunings.Put(o.Tx, pruningRow{Through: p.through.Seq, Begun: o.now.UnixNano()})
	})
}

// findOld finds the records that are to go: from the first on, without those
// behind one that is to stay.
func (v *Vault) findOld(ctx context.Context) (p pruning, err error) {
	keys := map[string]audit.MACKey{}
	p.before, p.check = time.Now().Add(-time.Duration(v.retention.Load())).UTC(), audit.NewVerifier(keys)
	for !p.done && err == nil {
		err = v.viewTrail(ctx, keys, p.look)
	}
	return p, err
}

// look goes over the next records. It verifies them: what is broken is evidence,
// and stays.
func (p *pruning) look(tx *store.Tx) error {
	looks := 0
	for r, err := range records(entries.All(tx, p.through.Seq+1)) {
		if errors.Is(err, audit.ErrMalformed) {
			p.check.Unreadable(err)
		} else if err != nil {
			return err
		}
		if !p.check.Add(r) {
			return fmt.Errorf("it is BROKEN at %s", p.check.Finish(nil).Broken)
		}
		e, err := r.Entry()
		if err != nil {
			return err // unreachable: it was decoded to be checked
		}
		if p.first == 0 {
			p.first, p.since = e.Seq, e.Time
			p.before = earlier(p.before, e.Time.Add(pruneSpan))
		}
		if p.done = !e.Time.Before(p.before); p.done {
			return nil
		}
		p.through = audit.Boundary{Seq: e.Seq, RowHash: r.RowHash}
		if looks++; looks == exportLooks {
			return nil
		}
	}
	p.done = true
	return nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// dropOld deletes at most n records of those that are to go.
func (o *op) dropOld(n int) (int, error) {
	row, err := prunings.Get(o.Tx, pruningKey)
	if isNotFound(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return entries.DeleteThrough(o.Tx, row.Through, n)
}
