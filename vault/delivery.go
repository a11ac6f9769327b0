package vault

import (
	"context"
	"errors"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/opaque"
)

// OutboxReady returns a channel that has something in it when there may be
// messages to deliver that [Vault.Due] did not return: after a commit that
// queued one, and when the vault was unsealed. It is for one reader.
func (v *Vault) OutboxReady() <-chan struct{} { return v.ready }

func (v *Vault) wake() {
	select {
	case v.ready <- struct{}{}:
	default: // it will look anyway
	}
}

// A Delivery is a message on its way to a channel.
type Delivery struct {
	Channel Channel
	// Config says where to deliver. Whoever gets it wipes it.
	Config  opaque.Bytes
	Message Message
	// Attempts is how often it was tried before, and Queued since when.
	Attempts int
	Queued   time.Time
	// Test messages are tried once.
	Test bool

	row messageRow
}

// Due returns the first message of each channel that is due now, and the time
// when the next one will be, zero if none waits. Channels that skip names are
// left out, as are disabled ones, but for tests. It is for the one who delivers:
// a channel has one message on its way at a time, and its order stays. Nothing
// is recorded; that a message was queued is. A channel that cannot be read is an
// error, and keeps nothing from the others. A sealed vault is [ErrSealed].
func (v *Vault) Due(ctx context.Context, skip func(channel string) bool) (due []Delivery, next time.Time, err error) {
	var broken error
	err = v.look(ctx, access.TheSystem(), access.ListChannels, func(o *op) error {
		for c, err := range channels.All(o.Tx, "") {
			if err != nil {
				return err
			}
			if skip(c.ID) {
				continue
			}
			d, ok, err := o.first(c)
			broken = errors.Join(broken, err)
			switch at := nanos(d.row.Next); {
			case !ok:
			case d.row.waits(o.now):
				if next.IsZero() || at.Before(next) {
					next = at
				}
			default:
				due = append(due, d)
			}
		}
		return nil
	})
	return due, next, errors.Join(err, broken)
}

// maxPause is the longest time between two attempts.
const maxPause = 6 * time.Hour

// waits reports whether a message is not due yet. One that would wait for
// longer than any does is: the clock was set back.
func (r messageRow) waits(now time.Time) bool {
	left := r.Next - now.UnixNano()
	return left > 0 && left <= int64(maxPause)
}

// first returns the message that a channel gets next, with the channel's config
// if it is due; false if there is none.
func (o *op) first(c channelRow) (Delivery, bool, error) {
	for r, err := range outbox.All(o.Tx, store.Key(c.ID)) {
		if err != nil {
			return Delivery{}, false, err
		}
		if !c.Enabled && !r.Test {
			break
		}
		d := Delivery{
			Channel: c.channel(), Message: r.Body.message(r.ID), Attempts: r.Attempts, Queued: nanos(r.Queued), Test: r.Test, row: r,
		}
		if !r.waits(o.now) {
			d.Config, err = o.config(c)
		}
		return d, err == nil, err
	}
	return Delivery{}, false, nil
}

// hurry makes the first message of a channel due, after what kept it may have
// been mended.
func (o *op) hurry(channel string) error {
	o.queued = true
	for r, err := range outbox.All(o.Tx, store.Key(channel)) {
		if err != nil {
			return err
		}
		if r.Test {
			continue
		}
		r.Next = 0
		return outbox.Put(o.Tx, r)
	}
	return nil
}

// Delivered forgets a message that was delivered.
func (v *Vault) Delivered(ctx context.Context, d Delivery) error {
	err := v.settle(ctx, d, record{}, func(o *op, q queueRow, m messageRow) (queueRow, error) {
		if !m.Test {
			q.Sent, q.Failed, q.Why = o.now.UnixNano(), 0, ""
		}
		return o.leave(q, m)
	})
	if err == nil {
		v.tests.tell(d.Message.ID, "")
	}
	return err
}

// Undelivered keeps a message for another attempt, not before again. Why is
// written for people and holds nothing of the config. A test is forgotten.
func (v *Vault) Undelivered(ctx context.Context, d Delivery, why string, again time.Time) error {
	err := v.settle(ctx, d, record{}, func(o *op, q queueRow, m messageRow) (queueRow, error) {
		if m.Test {
			return o.leave(q, m)
		}
		q.Failed, q.Why = o.now.UnixNano(), why
		m.Attempts++
		m.Next, m.Why = min(again.UnixNano(), o.now.Add(maxPause).UnixNano()), why
		return q, outbox.Put(o.Tx, m)
	})
	if err == nil {
		v.tests.tell(d.Message.ID, why)
	}
	return err
}

// Undeliverable gives a message up, and lays it with the dead letters. That is
// recorded, and told to the other channels.
func (v *Vault) Undeliverable(ctx context.Context, d Delivery, why string) error {
	r := record{action: access.NotificationFailed, resource: d.Channel.Name, except: d.Channel.ID}
	if d.Message.Kind == string(access.NotificationFailed) {
		// Or two dead channels would tell each other so for ever.
		r.status = "failed"
	}
	r.about(d.Message.ID, d.Message.Kind)
	return v.settle(ctx, d, r, func(o *op, q queueRow, m messageRow) (queueRow, error) {
		q, err := o.leave(q, m)
		if err != nil {
			return q, err
		}
		q.Failed, q.Why = o.now.UnixNano(), why
		m.Attempts++
		m.Next, m.Why, m.Died = 0, why, o.now.UnixNano()
		return o.bury(q, m)
	})
}

// settle changes the state of a message and its queue. Both may be gone: the
// channel was deleted meanwhile. Without an action nothing is recorded.
func (v *Vault) settle(ctx context.Context, d Delivery, r record, fn func(*op, queueRow, messageRow) (queueRow, error)) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	var done *op
	err = v.db.Update(ctx, func(tx *store.Tx) error {
		tx.UseReserve(store.Half) // people hear of alarms also while the disk is full
		done = v.newOp(tx, k, access.TheSystem(), r)
		m, err := outbox.Get(tx, d.row.Key())
		if err != nil {
			return err
		}
		q, err := done.queue(m.Channel)
		if err != nil {
			return err
		}
		if q, err = fn(done, q, m); err != nil {
			return err
		}
		if err := queues.Put(tx, q); err != nil || r.action == "" {
			return err
		}
		return done.write()
	})
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return translate(err)
	}
	v.announce(done)
	v.noteTried()
	return nil
}
