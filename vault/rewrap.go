package vault

import (
	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/keyring"
)

// sealedBuckets are the buckets whose rows hold an envelope under the KEK. A
// rotation wraps all of them anew, in this order; a bucket that is missing here
// is lost with the old KEK, so a test compares them with what package vault
// declares.
var sealedBuckets = []sealedBucket{
	rewrapping[signingKeyRow]{signingKeys},
	rewrapping[secretValueRow]{secretValues},
	rewrapping[channelRow]{channels},
	rewrapping[serverCertRow]{serverCerts},
	rewrapping[identityRow]{identities},
}

// A sealedRow is a row with an envelope.
type sealedRow[R any] interface {
	store.Row
	// place says where the envelope belongs, as it was sealed.
	place() (bucket, row string, version uint64)
	// envelope returns it.
	envelope() keyring.Envelope
	// withEnvelope returns the row with another one.
	withEnvelope(keyring.Envelope) R
}

// A sealedBucket can be wrapped anew, a piece at a time.
type sealedBucket interface {
	Name() string
	// rewrap looks at up to n rows behind after and wraps those under the old KEK
	// under the new one. It returns the last key it looked at, how many it
	// wrapped, and whether there are no more.
	rewrap(o *op, after store.Key, n int) (last store.Key, wrapped int, end bool, err error)
}

// rewrapping makes a sealedBucket of a bucket.
type rewrapping[R sealedRow[R]] struct{ *store.Bucket[R] }

func (b rewrapping[R]) rewrap(o *op, after store.Key, n int) (last store.Key, wrapped int, end bool, err error) {
	rows := make([]R, 0, n)
	for r, err := range b.From(o.Tx, after, "") {
		if err != nil {
			return after, 0, false, err
		}
		if rows = append(rows, r); len(rows) == n {
			break
		}
	}
	last = after
	for _, r := range rows {
		last = r.Key()
		e := r.envelope()
		if e.KEKVersion != o.keys.old.Version() {
			continue // made or wrapped since the rotation began
		}
		bucket, row, version := r.place()
		if e, err = o.keys.old.Rewrap(o.keys.label(bucket, row, version), e, o.keys.kek); err != nil {
			return after, 0, false, err
		}
		if err := b.Reseal(o.Tx, r.withEnvelope(e)); err != nil {
			return after, 0, false, err
		}
		wrapped++
	}
	return last, wrapped, len(rows) < n, nil
}

func (r signingKeyRow) place() (bucket, row string, version uint64) { return "signing_key", r.KID, 1 }
func (r signingKeyRow) envelope() keyring.Envelope                  { return r.Seed }
func (r signingKeyRow) withEnvelope(e keyring.Envelope) signingKeyRow {
	r.Seed = e
	return r
}

func (r secretValueRow) place() (bucket, row string, version uint64) {
	return "secret_value", r.ID, r.Version
}
func (r secretValueRow) envelope() keyring.Envelope { return r.Envelope }
func (r secretValueRow) withEnvelope(e keyring.Envelope) secretValueRow {
	r.Envelope = e
	return r
}

func (r channelRow) place() (bucket, row string, version uint64) { return "channel", r.ID, r.Version }
func (r channelRow) envelope() keyring.Envelope                  { return r.Envelope }
func (r channelRow) withEnvelope(e keyring.Envelope) channelRow {
	r.Envelope = e
	return r
}

func (r serverCertRow) place() (bucket, row string, version uint64) {
	return "server_certificate", string(serverCertKey), 1
}
func (r serverCertRow) envelope() keyring.Envelope { return r.Private }
func (r serverCertRow) withEnvelope(e keyring.Envelope) serverCertRow {
	r.Private = e
	return r
}

func (r identityRow) place() (bucket, row string, version uint64) {
	return "identity", string(identityKey), 1
}
func (r identityRow) envelope() keyring.Envelope { return r.Seed }
func (r identityRow) withEnvelope(e keyring.Envelope) identityRow {
	r.Seed = e
	return r
}
