package vault

import (
	"context"
	"fmt"
	"time"

	"github.com/cortex-auth/cortex/store"
	"github.com/cortex-auth/cortex/vault/access"
	"github.com/cortex-auth/cortex/vault/keyring"
)

// How many rows are looked at for one piece: many, because each is a commit, but few
// where others write, who wait for it.
const (
	rewrapAlone  = 8192
	rewrapBeside = 2048
)

// A piece of a rotation is wrapped anew in a transaction that only reads, and written
// in another one: nobody waits for the wrapping.
type piece struct {
	parts []part
	then  rotationPlace // where the next piece begins
	end   bool          // there was nothing to look at
}

// A part of a piece is of one bucket.
type part struct {
	bucket sealedBucket
	keys   []store.Key
	old    []keyring.Wrap // under these keys
	swaps  []store.Swap   // to be made
	shut   []wrapOf       // those that do not open
}

// A rotationPlace is how far a rotation has come.
type rotationPlace struct {
	bucket int       // index in sealedBuckets
	after  store.Key // the last key that was looked at there
}

// rewrap wraps anew what is still under the old KEK. While one piece is written, the
// next is wrapped.
func (v *Vault) rewrap(ctx context.Context) error {
	at, err := v.rewrapped(ctx)
	if err != nil {
		return err
	}
	size := rewrapBeside
	next := v.wrapAhead(ctx, at, size)
	for {
		p, err := next()
		if err != nil || p.end {
			return err
		}
		next = v.wrapAhead(ctx, p.then, size)
		if size, err = v.writeAndRest(ctx, p); err != nil {
			_, _ = next()
			return err
		}
	}
}

// writeAndRest writes a piece, and then leaves the machine to others for as long as
// that took, if they wrote as well. It returns how large a piece should be.
func (v *Vault) writeAndRest(ctx context.Context, p piece) (size int, err error) {
	began, before := time.Now(), v.db.Stats().Updates
	if err := v.writePiece(ctx, p); err != nil {
		return 0, err
	}
	if v.db.Stats().Updates == before+1 {
		return rewrapAlone, nil
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Since(began)):
	}
	return rewrapBeside, nil
}

// rewrapped returns where the rotation goes on.
func (v *Vault) rewrapped(ctx context.Context) (at rotationPlace, err error) {
	err = v.db.View(ctx, func(tx *store.Tx) error {
		row, err := rotations.Get(tx, rotationKey)
		if isNotFound(err) {
			return nil
		}
		at = rotationPlace{row.Bucket, row.After}
		return err
	})
	return at, translate(err)
}

// wrapAhead begins to wrap a piece of so many rows at a place, and returns a function
// that waits for it.
func (v *Vault) wrapAhead(ctx context.Context, at rotationPlace, size int) func() (piece, error) {
	type result struct {
		piece
		error
	}
	done := make(chan result, 1)
	go func() {
		p, err := v.wrapPiece(ctx, at, size)
		done <- result{p, err}
	}()
	return func() (piece, error) {
		r := <-done
		return r.piece, r.error
	}
}

// wrapPiece wraps a piece of so many rows at a place.
func (v *Vault) wrapPiece(ctx context.Context, at rotationPlace, size int) (p piece, err error) {
	k, release, err := v.use()
	if err != nil {
		return p, err
	}
	defer release()
	if k.old == nil || at.bucket == len(sealedBuckets) {
		return piece{end: true}, nil
	}
	if err := v.db.View(ctx, func(tx *store.Tx) error { return p.gather(tx, k, at, size) }); err != nil {
		return p, err
	}
	for i := range p.parts {
		if err := p.parts[i].rewrap(k); err != nil {
			return p, err
		}
	}
	return p, nil
}

// gather looks at so many rows behind a place, or fewer if there are no more.
func (p *piece) gather(tx *store.Tx, k *keys, at rotationPlace, left int) (err error) {
	for left > 0 && at.bucket < len(sealedBuckets) {
		b := part{bucket: sealedBuckets[at.bucket]}
		if at.after, err = b.gather(tx, k, at.after, &left); err != nil {
			return fmt.Errorf("bucket %s: %w", b.bucket.Name(), err)
		}
		p.parts = append(p.parts, b)
		if left > 0 {
			at = rotationPlace{bucket: at.bucket + 1}
		}
	}
	p.then = at
	return nil
}

// gather looks at what is left to look at behind a key, or less if there is no more,
// and returns the last key.
func (b *part) gather(tx *store.Tx, k *keys, after store.Key, left *int) (store.Key, error) {
	for w, err := range b.bucket.wraps(tx, k, after) {
		if err != nil {
			return after, err
		}
		after = w.key
		if keyring.WrapVersion(w.Bytes) != k.kek.Version() { // else made or wrapped since the rotation began
			b.keys, b.old = append(b.keys, w.key), append(b.old, w.Wrap)
		}
		if *left--; *left == 0 {
			break
		}
	}
	return after, nil
}

// rewrap wraps what was gathered.
func (b *part) rewrap(k *keys) error {
	now, err := k.old.Rewrap(b.old, k.kek)
	for i, w := range now {
		if w == nil {
			b.shut = append(b.shut, wrapOf{b.keys[i], b.old[i]})
			continue
		}
		b.swaps = append(b.swaps, store.Swap{Key: b.keys[i], Old: b.old[i].Bytes, New: w})
	}
	return err
}

// write writes what is still as it was when it was wrapped. It returns how much that
// is, and how much was wrapped.
func (p *piece) write(tx *store.Tx) (written, wrapped int, err error) {
	for _, b := range p.parts {
		n, err := b.bucket.swap(tx, b.swaps)
		if err != nil {
			return written, wrapped, fmt.Errorf("bucket %s: %w", b.bucket.Name(), err)
		}
		written, wrapped = written+n, wrapped+len(b.swaps)
	}
	return written, wrapped, nil
}

// lost returns what is lost because its wrap does not open, and how many wraps that
// nothing needs do not. A rotation goes on without them: no key that is kept would
// open them later.
func (p *piece) lost(tx *store.Tx) (lost []keyring.Label, needless int, err error) {
	for _, b := range p.parts {
		for _, w := range b.shut {
			switch is, err := b.bucket.lost(tx, w); {
			case err != nil:
				return nil, 0, fmt.Errorf("bucket %s: %w", b.bucket.Name(), err)
			case is:
				lost = append(lost, w.Label)
			default:
				needless++
			}
		}
	}
	return lost, needless, nil
}

// logLost logs what a rotation went on without.
func (v *Vault) logLost(lost []keyring.Label, needless int) {
	for _, l := range lost {
		v.cfg.log().Error("a value is lost: its key does not open", "bucket", l.Bucket, "row", l.Row, "version", l.Version)
	}
	if needless > 0 {
		v.cfg.log().Warn("keys that do not open were passed over: nothing needs them", "keys", needless)
	}
}

// writePiece writes a piece, and where the next one begins.
func (v *Vault) writePiece(ctx context.Context, p piece) error {
	k, release, err := v.use()
	if err != nil {
		return err
	}
	defer release()
	var lost []keyring.Label
	var needless int
	err = v.db.Update(ctx, func(tx *store.Tx) error {
		o := v.newOp(tx, k, access.TheSystem(), record{})
		row, err := rotations.Get(tx, rotationKey)
		if err != nil {
			return err
		}
		written, wrapped, err := p.write(tx)
		if err != nil {
			return err
		}
		if lost, needless, err = p.lost(tx); err != nil {
			return err
		}
		if err := o.countWraps(uint64(wrapped)); err != nil {
			return err
		}
		row.lose(lost)
		row.Bucket, row.After, row.Wrapped = p.then.bucket, p.then.after, row.Wrapped+uint64(written)
		return rotations.Put(tx, row)
	})
	if err == nil {
		v.logLost(lost, needless)
	}
	return err
}
