// Package note signs where an audit trail ends, in a form that can be kept
// anywhere outside the vault: in a git repository, a mail, on paper. Whoever has
// such a note, and the key that verifies it, can tell later that a trail is not
// an older copy, and was not written anew: it still has that record.
//
// The form is that of signed notes (c2sp.org/signed-note), so other programs
// can verify, countersign and keep them:
//
//	cortex/audit/head/<vault id>
//	<number of the last record>
//	<its row hash, base64>
//	<time of signing, RFC 3339, UTC, seconds>
//
//	— cortex/audit/head/<vault id> <base64 of key hash ‖ Ed25519 signature>
//
// What is signed is everything before the empty line. The first line, which is
// also the name of the key, keeps these notes apart from all others.
package note

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ErrMalformed is returned for text that is not a note or key of this package.
var ErrMalformed = errors.New("malformed audit head")

// ErrNotSigned is returned for a note that the key did not sign.
var ErrNotSigned = errors.New("audit head is not signed by that key")

// origin begins the first line of a note.
const origin = "cortex/audit/head/"

// layout is the form of the time.
const layout = "2006-01-02T15:04:05Z"

// A Head is what a note says.
type Head struct {
	// VaultID is the vault whose trail this is.
	VaultID string
	// Seq is the number of the last record, from 1.
	Seq uint64
	// RowHash is its hash.
	RowHash [32]byte
	// Time is when it was signed. Parts of seconds are not kept.
	Time time.Time
}

// body returns what is signed.
func (h Head) body() string {
	return fmt.Sprintf("%s%s\n%d\n%s\n%s\n", origin, h.VaultID, h.Seq, base64.StdEncoding.EncodeToString(h.RowHash[:]), h.Time.UTC().Format(layout))
}

// parseBody parses what body returned, and perhaps more.
func parseBody(s string) (h Head, err error) {
	lines := strings.Split(s, "\n")
	if len(lines) != 5 {
		return h, errors.New("not four lines")
	}
	h.VaultID = strings.TrimPrefix(lines[0], origin)
	hash, errHash := base64.StdEncoding.DecodeString(lines[2])
	if len(hash) != copy(h.RowHash[:], hash) {
		errHash = errors.New("row hash of another size")
	}
	var errSeq, errTime error
	h.Seq, errSeq = strconv.ParseUint(lines[1], 10, 64)
	h.Time, errTime = time.Parse(layout, lines[3])
	if h.Seq == 0 && errSeq == nil {
		errSeq = errors.New("no records")
	}
	return h, errors.Join(checkVaultID(h.VaultID), errSeq, errHash, errTime)
}

// checkVaultID accepts what can stand in the name of a key.
func checkVaultID(id string) error {
	if id == "" || len(id) > 128 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return errors.New("vault id must be 1 to 128 letters, digits or '-'")
	}
	return nil
}

// A Signer is an Ed25519 private key.
type Signer interface {
	Public() ed25519.PublicKey
	Sign(message []byte) ([]byte, error)
}

// Sign returns the note that says h. A head that cannot be written is
// ErrMalformed; other errors are the signer's.
func Sign(h Head, by Signer) (Note, error) {
	k := Key{h.VaultID, by.Public()}
	n := Note{Head: h}
	signature, err := by.Sign([]byte(h.body()))
	if err != nil {
		return Note{}, fmt.Errorf("signing audit head: %w", err)
	}
	hash := k.hash()
	n.Signatures = []Signature{{k.name(), append(hash[:], signature...)}}
	return Parse([]byte(n.String()))
}
