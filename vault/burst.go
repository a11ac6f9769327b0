package vault

import (
	"time"

	"github.com/cortex-auth/cortex/store"
)

// An agent chooses how often it sets off an alarm. So of each kind and agent so
// many messages are told one by one within a window; the others are counted,
// and when the window is over one message says how many there were.
const (
	burstWindow = 10 * time.Minute
	burstSize   = 20
)

// bursts count the messages of the windows that are open.
var bursts = store.Rows[burstRow]("message_burst")

type burstRow struct {
	Kind      string      `cbor:"1,keyasint"`
	Namespace string      `cbor:"2,keyasint,omitempty"`
	Agent     string      `cbor:"3,keyasint,omitempty"`
	Since     int64       `cbor:"4,keyasint"`
	Count     int         `cbor:"5,keyasint"`
	Last      messageBody `cbor:"6,keyasint"` // of those held back
}

// Key returns kind, namespace and agent.
func (r burstRow) Key() store.Key { return store.Join(r.Kind, r.Namespace, r.Agent) }

// over reports whether the window is closed; also after the clock was set back.
func (r burstRow) over(now time.Time) bool {
	age := now.UnixNano() - r.Since
	return age < 0 || age >= int64(burstWindow)
}

// throttle counts a message, and reports whether it is told by itself.
func (o *op) throttle(b messageBody) (pass bool, err error) {
	r := burstRow{Kind: b.Kind, Namespace: b.Namespace, Agent: b.Agent}
	old, err := bursts.Get(o.Tx, r.Key())
	switch {
	case isNotFound(err):
		r.Since = o.now.UnixNano()
	case err != nil:
		return false, err
	case old.over(o.now):
		if err := o.summarise(old); err != nil {
			return false, err
		}
		r.Since = o.now.UnixNano()
	default:
		r = old
	}
	r.Count++
	if pass = r.Count <= burstSize; !pass {
		r.Last = b
	}
	return pass, bursts.Put(o.Tx, r)
}

// summarise tells how many messages of a window were held back.
func (o *op) summarise(r burstRow) error {
	if r.Count <= burstSize {
		return nil
	}
	b := r.Last
	b.More = r.Count - burstSize
	return o.fanOut(b, "")
}

// purgeBursts closes windows that are over.
func (o *op) purgeBursts(n int) (int, error) {
	old, err := atMost(n, bursts.All(o.Tx, ""), func(r burstRow) bool { return r.over(o.now) })
	if err != nil {
		return 0, err
	}
	for _, r := range old {
		if err := o.summarise(r); err != nil {
			return 0, err
		}
		if err := bursts.Delete(o.Tx, r.Key()); err != nil {
			return 0, err
		}
	}
	return len(old), nil
}
