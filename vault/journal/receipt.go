package journal

import (
	"crypto/ed25519"
	"encoding/base64"
	"strconv"
	"strings"

	"github.com/cortex-auth/cortex/vault/proof"
)

// MaxReceipt is the longest receipt, in bytes.
const MaxReceipt = 1024

// TagSize is the size of the tag of a receipt, in bytes.
const TagSize = 32

// A Receipt is what the vault says of a fetch whose values may be used for longer.
// As a text it is
//
//	1,agent,session,key,namespace,project,fetched,until,tag
//
// The tag is the vault's over all that stands before its comma. For a daemon the
// whole of it is a word.
type Receipt struct {
	Agent     string            // row id
	Session   string            // whose daemon fetched
	Key       ed25519.PublicKey // of the session
	Namespace string
	Project   string
	// Fetched is the time of the fetch's audit record, Until that up to which its
	// values may be used: Unix nanoseconds.
	Fetched, Until int64
	Tag            []byte
}

// ParseReceipt reads a receipt. What parses is returned unchanged by
// [Receipt.Text], and is worth nothing before its tag was compared.
func ParseReceipt(text string) (Receipt, error) {
	part := strings.Split(text, ",")
	if len(text) > MaxReceipt || len(part) != 9 || part[0] != "1" {
		return Receipt{}, ErrEntry
	}
	key, err := proof.DecodeKeyURL(part[3])
	if err != nil {
		return Receipt{}, ErrEntry
	}
	r := Receipt{Agent: part[1], Session: part[2], Key: key, Namespace: part[4], Project: part[5]}
	if r.Fetched, err = strconv.ParseInt(part[6], 10, 64); err != nil {
		return Receipt{}, ErrEntry
	}
	if r.Until, err = strconv.ParseInt(part[7], 10, 64); err != nil {
		return Receipt{}, ErrEntry
	}
	if r.Tag, err = base64.RawURLEncoding.Strict().DecodeString(part[8]); err != nil {
		return Receipt{}, ErrEntry
	}
	if !r.wellFormed() || r.Text() != text {
		return Receipt{}, ErrEntry
	}
	return r, nil
}

func (r Receipt) wellFormed() bool {
	return proof.ValidName(r.Agent) && proof.ValidName(r.Session) && proof.ValidName(r.Namespace) && proof.ValidName(r.Project) &&
		r.Fetched >= 0 && r.Until >= r.Fetched && len(r.Tag) == TagSize
}

// Tagged returns the bytes that the tag is over.
func (r Receipt) Tagged() []byte {
	return []byte(strings.Join([]string{
		"1", r.Agent, r.Session, proof.EncodeKey(r.Key), r.Namespace, r.Project,
		strconv.FormatInt(r.Fetched, 10), strconv.FormatInt(r.Until, 10),
	}, ","))
}

// Text returns the receipt as it travels.
func (r Receipt) Text() string {
	return string(r.Tagged()) + "," + base64.RawURLEncoding.EncodeToString(r.Tag)
}
