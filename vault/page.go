package vault

import (
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"iter"

	"github.com/cortex-auth/cortex/store"
)

// A Page asks for a part of a list.
type Page struct {
	// Limit is how many rows there may be. If zero, all.
	Limit int
	// After is the position of the last row of the page before, as that page
	// said; empty for the first.
	After string
}

// take returns of a list, whose first row is not before the page's, what fits
// into the page, and the position of its last row, empty at the end of the
// list.
func take[R, T any](p Page, rows iter.Seq2[R, error], at func(R) string, of func(R) T) (part []T, next string, err error) {
	part = []T{}
	last := ""
	for r, err := range rows {
		if err != nil {
			return nil, "", err
		}
		if len(part) == p.Limit && p.Limit > 0 {
			return part, last, nil
		}
		part, last = append(part, of(r)), at(r)
	}
	return part, "", nil
}

// ordered is take for a list that an index keeps in order, or for the part of it
// within a prefix: of the rows that picks wants, it reads no more than the page
// holds.
func ordered[R store.Row](o *op, x *store.Index[R], prefix store.Key, p Page, picks func(R) bool) (part []R, next string, err error) {
	rows := filter(x.From(o.Tx, store.Key(p.After), prefix), picks)
	return take(p, rows, func(r R) string { return string(x.Of(r)) }, same)
}

// oldestFirst and newestFirst are index keys that keep a list in the order of
// time, and of names where that is the same.
func oldestFirst(t int64, names ...string) store.Key {
	return store.Join(append([]string{instant(t)}, names...)...)
}

func newestFirst(t int64, names ...string) store.Key { return oldestFirst(^t, names...) }

// instant is a time as a part of a key.
func instant(t int64) string { return fmt.Sprintf("%016x", uint64(t)) }

// A cursor is what a client sends back to get the next page:
//
//	tag, 16 bytes │ position, masked
//
// in base64url without padding. The tag is an HMAC under the index key, cut to
// its first half, over the list and the position: a cursor is good for the list
// it was made for, with the same filters, and not to be made by anybody else.
// The mask is made of the tag under the same key: a position may say more of
// the list than the rows that its reader may see.
const (
	cursorTag = 16
	maxCursor = 4 << 10
)

// SealCursor returns the cursor of a position in a list. The list is a name
// that says which, with all that filters it.
func (v *Vault) SealCursor(list, position string) (string, error) {
	k, release, err := v.use()
	if err != nil {
		return "", err
	}
	defer release()
	tag := k.cursorTag(list, position)
	return base64.RawURLEncoding.EncodeToString(append(tag, k.cursorMask(tag, []byte(position))...)), nil
}

// OpenCursor returns the position that a cursor of the list was made for; an
// [InvalidError] for every other text.
func (v *Vault) OpenCursor(list, cursor string) (position string, err error) {
	k, release, err := v.use()
	if err != nil {
		return "", err
	}
	defer release()
	b, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(b) < cursorTag || len(cursor) > maxCursor {
		return "", errCursor
	}
	position = string(k.cursorMask(b[:cursorTag], b[cursorTag:]))
	if subtle.ConstantTimeCompare(b[:cursorTag], k.cursorTag(list, position)) != 1 {
		return "", errCursor
	}
	return position, nil
}

var errCursor = invalid("cursor", "is not one that this list, with these filters, gave out: begin again without it")

func (k *keys) cursorTag(list, position string) []byte {
	tag := k.index.Tag([]byte("list-cursor"), []byte(list), []byte(position))
	return tag[:cursorTag]
}

// cursorMask masks a position, or takes its mask off.
func (k *keys) cursorMask(tag, position []byte) []byte {
	var mask []byte
	for block := byte(0); len(mask) < len(position); block++ {
		part := k.index.Tag([]byte("list-cursor-mask"), tag, []byte{block})
		mask = append(mask, part[:]...)
	}
	masked := make([]byte, len(position))
	subtle.XORBytes(masked, position, mask)
	return masked
}
