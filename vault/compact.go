package vault

import (
	"context"
	"time"

	"github.com/cortex-auth/cortex/store"
)

// compactions says that the file still holds freed pages with what must not stay:
// old wraps, or secrets that were destroyed.
var compactions = store.Rows[compactionRow]("compaction")

const compactionKey = store.Key("due")

type compactionRow struct {
	Since int64 `cbor:"1,keyasint"`
}

// Key returns the key of the one row there is.
func (compactionRow) Key() store.Key { return compactionKey }

// compactLater notes that the file has to be compacted. Until it was, every
// minute brings another try.
func (o *op) compactLater() error {
	return compactions.Put(o.Tx, compactionRow{Since: o.now.UnixNano()})
}

// compactDue reports whether the file has to be compacted.
func (o *op) compactDue() (bool, error) { return compactions.Has(o.Tx, compactionKey) }

// compact writes the file anew, if it holds what must not stay. That takes a
// while, and nobody waits for it; whether the vault is sealed meanwhile is all one.
func (v *Vault) compact(ctx context.Context) error {
	select {
	case v.compacting <- struct{}{}:
		defer func() { <-v.compacting }()
	case <-ctx.Done():
		return ctx.Err()
	}
	var since compactionRow
	err := v.db.View(ctx, func(tx *store.Tx) (err error) {
		since, err = compactions.Get(tx, compactionKey)
		return err
	})
	if isNotFound(err) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	v.cfg.log().Info("compacting the vault file: freed pages hold what must not stay")
	began := time.Now()
	if err := v.db.Compact(ctx); err != nil {
		return err
	}
	v.cfg.log().Info("compacted the vault file", "took", time.Since(began))
	return translate(v.db.Update(ctx, func(tx *store.Tx) error {
		now, err := compactions.Get(tx, compactionKey)
		if isNotFound(err) || err == nil && now != since {
			return nil // somebody else's, or more to be done
		}
		if err != nil {
			return err
		}
		return compactions.Delete(tx, compactionKey)
	}))
}
