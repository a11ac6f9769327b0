package vault

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"time"

	"github.com/cortex-auth/cortex/store"
)

// A signed message is good for skew on either side of its time, and is
// remembered for as long as it could be good on any clock this vault has had.
const (
	skew       = 300 * time.Second
	remembered = 600 * time.Second
)

// seen holds every signed message of the recent past, in the order of their
// times, so that the old ones lie together at the beginning.
var seen = store.Rows[seenRow]("seen")

// forgotten says up to which time seen was purged.
var forgotten = store.Rows[forgottenRow]("seen_purged")

const forgottenKey = store.Key("through")

// A message is a signed message, which is good once.
type message struct {
	TS   int64  // Unix seconds, as signed
	By   string // kind and row id of the signer
	Once string // its nonce or jti
}

// row returns what is remembered of a message: no more than tells it from others,
// for there are many, and each fetch writes one.
func (m message) row() seenRow {
	sum := sha256.Sum256([]byte(m.By + "\x00" + m.Once))
	return seenRow{TS: m.TS, ID: sum[:16]}
}

// A seenRow is one message that was used.
type seenRow struct {
	TS int64  `cbor:"1,keyasint"` // Unix seconds, from 0 on
	ID []byte `cbor:"2,keyasint"` // 16 bytes
}

// Key orders by time.
func (r seenRow) Key() store.Key {
	return store.Key(binary.BigEndian.AppendUint64(nil, uint64(r.TS))) + store.Key(r.ID)
}

// A forgottenRow bounds what can be told from seen.
type forgottenRow struct {
	Through int64 `cbor:"1,keyasint"` // Unix seconds
}

// Key returns the key of the one row there is.
func (forgottenRow) Key() store.Key { return forgottenKey }

// fresh returns [ErrClockSkew] for a message whose time is too far from now,
// and [ErrReplay] for one that was used, or that is so old that nobody can
// say: after the clock was set back, a purged message could look new.
func (o *op) fresh(m message) error {
	if err := o.timely(m); err != nil {
		return err
	}
	used, err := seen.Has(o.Tx, m.row().Key())
	if err == nil && used {
		err = ErrReplay
	}
	return err
}

// timely is what fresh asks without looking for the message itself.
func (o *op) timely(m message) error {
	if m.TS < 0 {
		return ErrClockSkew
	}
	if d := o.now.Sub(time.Unix(m.TS, 0)).Abs(); d > skew {
		return ErrClockSkew
	}
	f, err := forgotten.Get(o.Tx, forgottenKey)
	if err != nil && !isNotFound(err) {
		return err
	}
	if m.TS <= f.Through {
		return ErrReplay
	}
	return nil
}

// use remembers a message, after checking that it is fresh.
func (o *op) use(m message) error {
	if err := o.timely(m); err != nil {
		return err
	}
	err := seen.Insert(o.Tx, m.row())
	if errors.Is(err, store.ErrExists) {
		return ErrReplay
	}
	return err
}

// purgeSeen forgets at most n messages that no clock will accept again, and
// returns how many it forgot.
func (o *op) purgeSeen(n int) (int, error) {
	before := o.now.Add(-remembered).Unix()
	var old []seenRow
	for r, err := range seen.All(o.Tx, "") {
		if err != nil {
			return 0, err
		}
		if r.TS >= before || len(old) == n {
			break
		}
		old = append(old, r)
	}
	if len(old) == 0 {
		return 0, nil
	}
	for _, r := range old {
		if err := seen.Delete(o.Tx, r.Key()); err != nil {
			return 0, err
		}
	}
	return len(old), forgotten.Put(o.Tx, forgottenRow{Through: old[len(old)-1].TS})
}

// pad writes n in fixed width, for keys in numeric order.
func pad(n uint64) string {
	const zeros = "00000000000000000000"
	var b [20]byte
	digits := strconv.AppendUint(b[:0], n, 10)
	return zeros[len(digits):] + string(digits)
}
