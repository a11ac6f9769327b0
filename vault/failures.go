package vault

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// Failed authentications are recorded too, but whoever fails chooses how
// often. So the first of each kind and source in a minute is written at once,
// up to a number for all together; the rest is counted, and the counts are
// written when the minute is over. That bounds both memory and disk.
const (
	failureWindow  = time.Minute
	failuresAtOnce = 30
	failureKinds   = 512
	otherSources   = "other sources"
)

// A failure is what is counted together.
type failure struct {
	action  access.Action
	source  string
	agent   string
	project string
	status  string
}

// failures counts the failures of the current minute. The zero value is ready.
type failures struct {
	mu     sync.Mutex // guards what follows
	counts map[failure]int
	atOnce int
	// repeats are those of a longer time.
	repeats repeats
}

// A counted record is about failures from one source.
type counted struct {
	source string
	record record
}

// add counts f, and reports whether it is to be written at once.
func (c *failures) add(f failure) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[failure]int{}
	}
	c.repeats.add(repeat{f.action, f.source})
	n, known := c.counts[f]
	if !known && len(c.counts) >= failureKinds {
		f = failure{action: f.action, source: otherSources, status: f.status}
		n, known = c.counts[f]
	}
	if !known && c.atOnce < failuresAtOnce {
		c.atOnce++
		c.counts[f] = 0
		return true
	}
	c.counts[f] = n + 1
	return false
}

// take returns what was counted, and the alarms that are due, and begins a new
// minute.
func (c *failures) take() []counted {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.repeats.take()
	for f, n := range c.counts {
		if n > 0 {
			all = append(all, f.counted(n))
		}
	}
	c.counts, c.atOnce = nil, 0
	return all
}

func (f failure) counted(n int) counted {
	return counted{f.source, record{
		action: f.action, agent: f.agent, project: f.project, status: f.status,
		resource: fmt.Sprintf("%d more within a minute", n),
	}}
}

// fail records that a caller's credentials were not good. r says which action
// and, as far as it is known to be true, which agent and project. It returns
// err, joined with what went wrong in recording it.
func (v *Vault) fail(ctx context.Context, k *keys, from access.Origin, r record, err error) error {
	if r.status == "" {
		r.status = "failed"
	}
	v.operations.fail(r.action, r.status)
	if !v.failures.add(failure{r.action, from.Source, r.agent, r.project, r.status}) {
		return err
	}
	if werr := v.append(ctx, k, access.Nobody(from), r); werr != nil {
		return fmt.Errorf("%w (and recording it: %w)", err, werr)
	}
	return err
}

// flushFailures writes the counts of the minute that is over, and the alarms.
func (v *Vault) flushFailures(ctx context.Context) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	for _, c := range v.failures.take() {
		if err := v.append(ctx, k, access.Nobody(access.Origin{Source: c.source}), c.record); err != nil {
			return err
		}
		if c.record.status == statusAlarm {
			v.operations.add(c.record.action, c.record.status) // the others were, one by one
		}
	}
	return nil
}

// append writes one entry and nothing else.
func (v *Vault) append(ctx context.Context, k *keys, by access.Caller, r record) error {
	var done *op
	err := v.db.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		done = v.newOp(tx, k, by, r)
		return done.write()
	})
	if err != nil {
		return translate(err)
	}
	v.tell(done)
	return nil
}
