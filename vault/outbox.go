package vault

import (
	"errors"

	"github.com/google/uuid"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/audit"
)

// What a channel may have waiting. The last fifth is kept for what is critical.
const (
	maxQueued         = 1000
	maxQueuedOrdinary = maxQueued * 4 / 5
	maxTests          = 8
)

// The outbox holds the messages that wait for delivery, of each channel in
// order and tests first. A message is written in the transaction of the audit
// entry that it is about, so a crash loses none; queues count them.
var (
	outbox = store.Rows[messageRow]("outbox")
	queues = store.Rows[queueRow]("outbox_queue")
)

type messageRow struct {
	Channel  string      `cbor:"1,keyasint"`
	Seq      uint64      `cbor:"2,keyasint"`
	ID       string      `cbor:"3,keyasint"`
	Body     messageBody `cbor:"4,keyasint"`
	Test     bool        `cbor:"5,keyasint,omitempty"`
	Queued   int64       `cbor:"6,keyasint"`
	Attempts int         `cbor:"7,keyasint,omitempty"`
	Next     int64       `cbor:"8,keyasint,omitempty"` // not before
	Why      string      `cbor:"9,keyasint,omitempty"` // the last attempt failed
	Died     int64       `cbor:"10,keyasint,omitempty"`
}

// Key returns channel, class and number.
func (r messageRow) Key() store.Key { return store.Join(r.Channel, r.class(), pad(r.Seq)) }

const (
	classTest    = "0"
	classMessage = "1"
)

func (r messageRow) class() string {
	if r.Test {
		return classTest
	}
	return classMessage
}

// A queueRow is what is known of a channel's messages.
type queueRow struct {
	Channel string `cbor:"1,keyasint"`
	Seq     uint64 `cbor:"2,keyasint"`           // of the newest message
	Queued  int    `cbor:"3,keyasint,omitempty"` // tests not counted
	Dropped int    `cbor:"4,keyasint,omitempty"` // since the queue was full
	Dead    int    `cbor:"5,keyasint,omitempty"`
	Sent    int64  `cbor:"6,keyasint,omitempty"` // when the last one was delivered
	Failed  int64  `cbor:"7,keyasint,omitempty"` // when the last attempt failed; 0 after a delivery
	Why     string `cbor:"8,keyasint,omitempty"`
}

// Key returns the channel.
func (r queueRow) Key() store.Key { return store.Key(r.Channel) }

// queue returns the state of a channel's queue.
func (o *op) queue(channel string) (queueRow, error) {
	q, err := queues.Get(o.Tx, store.Key(channel))
	if isNotFound(err) {
		return queueRow{Channel: channel}, nil
	}
	return q, err
}

// notify queues what people are told of a record. A row in the outbox that
// somebody tampered with must not keep an alarm from doing its work: the log
// has to do then.
func (o *op) notify(r record, e audit.Entry, seq uint64) error {
	s, told := r.severity()
	if !told {
		return nil
	}
	b := o.body(r, e, seq, s)
	pass, err := o.throttle(b)
	if err == nil && pass {
		err = o.fanOut(b, r.except)
	}
	if errors.Is(err, store.ErrTampered) {
		o.untold = err
		return nil
	}
	return err
}

// fanOut queues a message for each channel that wants it, but one.
func (o *op) fanOut(b messageBody, except string) error {
	all, err := gather(channels.All(o.Tx, ""))
	if err != nil {
		return err
	}
	for _, c := range all {
		if c.ID == except || !c.wants(b) {
			continue
		}
		q, err := o.queue(c.ID)
		if err != nil {
			return err
		}
		if q, err = o.enqueue(q, b); err != nil {
			return err
		}
		if err := queues.Put(o.Tx, q); err != nil {
			return err
		}
	}
	return nil
}

// enqueue adds a message to a queue that has room for it, else counts it.
func (o *op) enqueue(q queueRow, b messageBody) (queueRow, error) {
	room := maxQueuedOrdinary
	if b.Severity == Critical {
		room = maxQueued
	}
	if q.Queued >= room {
		q.Dropped++
		return q, nil
	}
	q.Queued++
	return o.add(q, messageRow{ID: uuid.NewString(), Body: b})
}

// add writes a message at the end of a queue.
func (o *op) add(q queueRow, m messageRow) (queueRow, error) {
	q.Seq++
	m.Channel, m.Seq, m.Queued = q.Channel, q.Seq, o.now.UnixNano()
	o.queued = true
	return q, outbox.Insert(o.Tx, m)
}

// leave takes a message out of the outbox. When a queue that was full has
// shrunk to half, it is told how many it did not take.
func (o *op) leave(q queueRow, m messageRow) (queueRow, error) {
	if err := outbox.Delete(o.Tx, m.Key()); err != nil {
		return q, err
	}
	if m.Test {
		return q, nil
	}
	q.Queued = max(0, q.Queued-1)
	if q.Dropped == 0 || q.Queued > maxQueued/2 {
		return q, nil
	}
	b := messageBody{Kind: KindDropped, Severity: Warning, More: q.Dropped, Time: o.now.UnixNano()}
	q.Dropped = 0
	return o.enqueue(q, b)
}

// dropMessages deletes all that a channel has waiting or undelivered.
func (o *op) dropMessages(channel string) error {
	if err := dropAll(o, outbox, outbox.All(o.Tx, store.Key(channel))); err != nil {
		return err
	}
	if err := dropAll(o, deadLetters, deadLetters.All(o.Tx, store.Key(channel))); err != nil {
		return err
	}
	if err := queues.Delete(o.Tx, store.Key(channel)); !isNotFound(err) {
		return err
	}
	return nil
}
