package vault

import (
	"context"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
)

// How many messages of a channel are kept that could not be delivered, and for
// how long.
const (
	maxDead  = 1000
	deadKept = 30 * 24 * time.Hour
)

// deadLetters are the messages that were given up.
var deadLetters = store.Rows[messageRow]("dead_letter")

// A DeadLetter is a message that could not be delivered.
type DeadLetter struct {
	Message
	// Number tells it from the others of its channel.
	Number uint64
	// Attempts is how often it was tried, and Why the last one failed.
	Attempts int
	Why      string
	Died     time.Time
}

func (r messageRow) deadLetter() DeadLetter {
	return DeadLetter{Message: r.Body.message(r.ID), Number: r.Seq, Attempts: r.Attempts, Why: r.Why, Died: nanos(r.Died)}
}

// bury lays a message with the dead letters, in the place of the oldest one
// where there are too many.
func (o *op) bury(q queueRow, m messageRow) (queueRow, error) {
	if q.Dead >= maxDead {
		for old, err := range deadLetters.All(o.Tx, store.Key(q.Channel)) {
			if err != nil {
				return q, err
			}
			if err := deadLetters.Delete(o.Tx, old.Key()); err != nil {
				return q, err
			}
			q.Dead--
			break
		}
	}
	q.Dead++
	return q, deadLetters.Insert(o.Tx, m)
}

// DeadLetters returns the messages that a channel did not get, oldest first.
func (v *Vault) DeadLetters(ctx context.Context, by access.Caller, channel string) (all []DeadLetter, err error) {
	err = v.look(ctx, by, access.ListDeadLetters, func(o *op) error {
		if _, err := o.channel(channel); err != nil {
			return err
		}
		return collect(&all, deadLetters.All(o.Tx, store.Key(channel)), messageRow.deadLetter)
	})
	return all, err
}

// RetryDeadLetters puts dead letters of a channel back into its queue, behind
// what waits there, and returns how many: the one of that number, or as many
// as there is room for if it is nil.
func (v *Vault) RetryDeadLetters(ctx context.Context, by access.Caller, channel string, number *uint64) (n int, err error) {
	err = v.do(ctx, by, record{action: access.RetryDeadLetters, resource: channel}, func(o *op) error {
		if _, err := o.channel(channel); err != nil {
			return err
		}
		letters := deadLetters.All(o.Tx, store.Key(channel))
		if number != nil {
			letters = deadLetters.All(o.Tx, messageRow{Channel: channel, Seq: *number}.Key())
		}
		all, err := gather(letters)
		if err != nil {
			return err
		}
		if number != nil && len(all) == 0 {
			return ErrNotFound
		}
		n, err = o.revive(channel, all)
		o.record.about(channel, "letters="+strconv.Itoa(n))
		return err
	})
	return n, err
}

// revive queues dead letters while there is room.
func (o *op) revive(channel string, letters []messageRow) (n int, err error) {
	q, err := o.queue(channel)
	if err != nil {
		return 0, err
	}
	for _, m := range letters {
		if q.Queued >= maxQueuedOrdinary {
			break
		}
		if err := deadLetters.Delete(o.Tx, m.Key()); err != nil {
			return 0, err
		}
		m.Attempts, m.Next, m.Why, m.Died = 0, 0, "", 0
		if q, err = o.add(q, m); err != nil {
			return 0, err
		}
		q.Queued++
		q.Dead--
		n++
	}
	return n, queues.Put(o.Tx, q)
}

// purgeDeadLetters forgets letters that lay there for long.
func (o *op) purgeDeadLetters(n int) (int, error) {
	before := o.now.Add(-deadKept).UnixNano()
	old, err := atMost(n, deadLetters.All(o.Tx, ""), func(m messageRow) bool { return m.Died < before })
	if err != nil {
		return 0, err
	}
	for _, m := range old {
		q, err := o.queue(m.Channel)
		if err != nil {
			return 0, err
		}
		q.Dead--
		if err := queues.Put(o.Tx, q); err != nil {
			return 0, err
		}
		if err := deadLetters.Delete(o.Tx, m.Key()); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}
