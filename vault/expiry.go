package vault

import (
	"time"

	"github.com/cortex-auth/cortex/vault/access"
)

const day = 24 * time.Hour

// reminders are how long before its end the trail says that a secret expires;
// the last one is the end itself.
var reminders = [...]time.Duration{30 * day, 7 * day, day, 0}

// maxExpiry is how far ahead a secret may expire. Times in the file end in the
// year 2262.
const maxExpiry = 100 * 365 * day

// checkExpiry refuses a time that is no use. The zero time is none.
func checkExpiry(at time.Time, honey bool, now time.Time) error {
	switch {
	case at.IsZero():
		return nil
	case honey:
		return invalid("expires_at", "cannot be set on a honey secret: a trap must not go quiet")
	case !at.After(now):
		return invalid("expires_at", "must lie in the future")
	case at.Sub(now) > maxExpiry:
		return invalid("expires_at", "must not be more than 100 years ahead")
	}
	return nil
}

// expire sets when a secret expires. Whoever sets it knows how soon that is:
// what should have been said earlier is not said.
func (r *secretRow) expire(at, now time.Time) {
	r.Expires, r.Reminded = 0, 0
	if at.IsZero() {
		return
	}
	r.Expires = at.UnixNano()
	r.Reminded = min(r.over(now), len(reminders)-1)
}

// over returns how many reminders have their time behind them.
func (r secretRow) over(now time.Time) int {
	n := 0
	for _, before := range reminders {
		if r.Expires-int64(before) <= now.UnixNano() {
			n++
		}
	}
	return n
}

// due returns when the next reminder is due, false if there is none.
func (r secretRow) due() (int64, bool) {
	if r.Expires == 0 || r.Reminded >= len(reminders) {
		return 0, false
	}
	return max(0, r.Expires-int64(reminders[r.Reminded])), true
}

func (r secretRow) expired(now time.Time) bool { return r.Expires != 0 && r.Expires <= now.UnixNano() }

func expiryText(at time.Time) string {
	if at.IsZero() {
		return "never"
	}
	return at.UTC().Format(time.RFC3339)
}

// remind records which secrets expire soon and which have, at most n of them,
// each reminder once. Of several that are due, as after a night in which the
// vault was sealed, it is the last that counts.
func (o *op) remind(n int) (said []record, err error) {
	var soon []secretRow
	for r, err := range secretsByDue.All(o.Tx, "") {
		if err != nil {
			return nil, err
		}
		if due, _ := r.due(); due > o.now.UnixNano() || len(soon) == n {
			break
		}
		soon = append(soon, r)
	}
	for _, r := range soon {
		r.Reminded = r.over(o.now)
		rec := record{action: access.SecretExpiring, resource: r.Path}
		if r.Reminded == len(reminders) {
			rec.action = access.SecretExpired
			if err := o.tellChanged(r); err != nil {
				return nil, err
			}
		}
		rec.about(r.ID, "namespace="+r.Namespace)
		rec.about("expires_at", expiryText(nanos(r.Expires)))
		said = append(said, rec)
		if err := secrets.Put(o.Tx, r); err != nil {
			return nil, err
		}
	}
	return said, nil
}
