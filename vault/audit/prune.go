package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// ActionPrune is the Action of the entry that records the removal of the
// oldest records. Its Resource is the text of a [Boundary].
const ActionPrune = "audit_prune"

// A Boundary is the last record that was removed, or may be, from the
// beginning of a chain.
type Boundary struct {
	// Seq is its number.
	Seq uint64
	// RowHash is its hash, to which the first record kept is linked.
	RowHash [32]byte
}

// String returns the boundary as "<seq>:<row hash in hex>".
func (b Boundary) String() string {
	return strconv.FormatUint(b.Seq, 10) + ":" + hex.EncodeToString(b.RowHash[:])
}

// ParseBoundary parses what String returned, and nothing else. Any error is an
// ErrMalformed.
func ParseBoundary(s string) (Boundary, error) {
	seq, hash, _ := strings.Cut(s, ":")
	var b Boundary
	n, err := strconv.ParseUint(seq, 10, 64)
	if err == nil && len(hash) == hex.EncodedLen(len(b.RowHash)) {
		b.Seq = n
		_, err = hex.Decode(b.RowHash[:], []byte(hash))
	}
	// One spelling each: no leading zeros, no capitals.
	if err != nil || b.String() != s {
		return Boundary{}, fmt.Errorf("%w: boundary %q", ErrMalformed, s)
	}
	return b, nil
}
