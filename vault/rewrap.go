package vault

import (
	"bytes"
	"iter"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/keyring"
)

// sealedBuckets are the buckets that hold keys under the KEK. A rotation wraps all
// of them anew, in this order; a bucket that is missing here is lost with the old
// KEK, so a test compares them with what package vault declares.
var sealedBuckets = []sealedBucket{
	enveloping[signingKeyRow]{signingKeys},
	wrapping{secretWraps},
	enveloping[channelRow]{channels},
	enveloping[serverCertRow]{serverCerts},
	enveloping[identityRow]{identities},
}

// A sealedBucket can be wrapped anew.
type sealedBucket interface {
	Name() string
	// wraps yields what is behind the key after.
	wraps(tx *store.Tx, k *keys, after store.Key) iter.Seq2[wrapOf, error]
	// swap puts wraps in the place of others that are still there, and returns how
	// many those are.
	swap(tx *store.Tx, wraps []store.Swap) (int, error)
	// lost reports whether a row is lost because a wrap does not open. It deletes
	// one that no row needs.
	lost(tx *store.Tx, w wrapOf) (bool, error)
}

// A wrapOf is the wrap that lies under a key.
type wrapOf struct {
	key store.Key
	keyring.Wrap
}

// enveloping makes a sealedBucket of a bucket whose rows have an envelope.
type enveloping[R sealedRow[R]] struct{ *store.Bucket[R] }

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

func (b enveloping[R]) wraps(tx *store.Tx, k *keys, after store.Key) iter.Seq2[wrapOf, error] {
	return func(yield func(wrapOf, error) bool) {
		for r, err := range b.From(tx, after, "") {
			if err != nil {
				yield(wrapOf{}, err)
				return
			}
			if !yield(wrapOf{r.Key(), keyring.Wrap{Label: k.label(r.place()), Bytes: r.envelope().Wrap()}}, nil) {
				return
			}
		}
	}
}

func (b enveloping[R]) swap(tx *store.Tx, wraps []store.Swap) (n int, err error) {
	for _, w := range wraps {
		r, err := b.Get(tx, w.Key)
		if isNotFound(err) || err == nil && !bytes.Equal(r.envelope().Wrap(), w.Old) {
			continue
		}
		if err != nil {
			return n, err
		}
		e, err := r.envelope().WithWrap(w.New)
		if err != nil {
			return n, err
		}
		if err := b.Reseal(tx, r.withEnvelope(e)); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func (b enveloping[R]) lost(tx *store.Tx, w wrapOf) (bool, error) {
	r, err := b.Get(tx, w.key)
	if isNotFound(err) {
		return false, nil
	}
	return err == nil && bytes.Equal(r.envelope().Wrap(), w.Bytes), err
}

// wrapping makes a sealedBucket of wraps that lie by themselves.
type wrapping struct{ *store.Plain }

func (b wrapping) wraps(tx *store.Tx, k *keys, after store.Key) iter.Seq2[wrapOf, error] {
	return func(yield func(wrapOf, error) bool) {
		for e, err := range b.From(tx, after) {
			if err != nil {
				yield(wrapOf{}, err)
				return
			}
			id, version := splitValueKey(e.Key)
			if !yield(wrapOf{e.Key, keyring.Wrap{Label: k.label(secretValues.Name(), id, version), Bytes: bytes.Clone(e.Value)}}, nil) {
				return
			}
		}
	}
}

func (b wrapping) swap(tx *store.Tx, wraps []store.Swap) (int, error) { return b.Swap(tx, wraps) }

func (b wrapping) lost(tx *store.Tx, w wrapOf) (bool, error) {
	if _, err := secretValues.Get(tx, w.key); isNotFound(err) {
		return false, b.Delete(tx, w.key)
	}
	return true, nil
}

func (r signingKeyRow) place() (bucket, row string, version uint64) { return "signing_key", r.KID, 1 }
func (r signingKeyRow) envelope() keyring.Envelope                  { return r.Seed }
func (r signingKeyRow) withEnvelope(e keyring.Envelope) signingKeyRow {
	r.Seed = e
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
