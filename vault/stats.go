package vault

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// Stats is what a vault counts, for its operator. It names no secret, agent or
// project.
type Stats struct {
	// Sealed vaults tell only what they counted, and nothing of what they hold.
	Sealed bool
	// Operations counts what was done and refused since the vault was opened,
	// sorted.
	Operations []OperationCount
	// AuthFailures is how many credentials were not good.
	AuthFailures uint64
	// Store counts commits, FileSize is the file's, in bytes.
	Store    store.Stats
	FileSize int64
	// AuditRows is how many records the trail ever had.
	AuditRows uint64
	// KEKVersion is that of the key-encryption key, WrapsLeft how much it can
	// still do.
	KEKVersion uint32
	WrapsLeft  uint64
	// PendingGrants is how many requests wait for a decision.
	PendingGrants int
}

// An OperationCount says how often an action had an outcome.
type OperationCount struct {
	Action, Status string
	Count          uint64
}

// maxOperations bounds the kinds of outcomes counted. There are fewer.
const maxOperations = 1024

// operations counts outcomes. The zero value is ready.
type operations struct {
	mu       sync.Mutex // guards what follows
	counts   map[outcome]uint64
	failures uint64
}

type outcome struct {
	action access.Action
	status string
}

func (c *operations) add(a access.Action, status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count(a, status)
}

// fail counts a failed authentication.
func (c *operations) fail(a access.Action, status string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures++
	c.count(a, status)
}

func (c *operations) count(a access.Action, status string) {
	if c.counts == nil {
		c.counts = map[outcome]uint64{}
	}
	o := outcome{a, cmp.Or(status, statusSuccess)}
	if _, known := c.counts[o]; !known && len(c.counts) >= maxOperations {
		o = outcome{"other", "other"}
	}
	c.counts[o]++
}

func (c *operations) list() (all []OperationCount, failures uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for o, n := range c.counts {
		all = append(all, OperationCount{string(o.action), o.status, n})
	}
	slices.SortFunc(all, func(a, b OperationCount) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Status, b.Status))
	})
	return all, c.failures
}

// Stats returns what the vault counted, sealed or not.
func (v *Vault) Stats(ctx context.Context) (Stats, error) {
	s := Stats{Sealed: true, Store: v.db.Stats()}
	s.Operations, s.AuthFailures = v.operations.list()
	var err error
	if s.FileSize, err = v.db.Size(); err != nil {
		return Stats{}, err
	}
	k, release, err := v.use()
	if err != nil {
		return s, nil
	}
	defer release()
	s.Sealed, s.KEKVersion = false, k.kek.Version()
	err = v.db.View(ctx, func(tx *store.Tx) error {
		head, err := readHead(tx, k)
		if err != nil {
			return err
		}
		w, err := wraps.Get(tx, wrapKey)
		if err != nil {
			return err
		}
		s.AuditRows = head.Seq
		s.WrapsLeft, _ = w.left()
		waiting, err := gather(pendingsWaiting.All(tx, store.Key(grantPending)))
		s.PendingGrants = len(waiting)
		return err
	})
	return s, err
}
