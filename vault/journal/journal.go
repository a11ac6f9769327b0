// Package journal is how a daemon writes down that it used what it held while its
// server was away: the lines, the chain they make, and the receipt that each of
// them names. It does no I/O, and there are names in it, never values.
//
// A fetch that may be used for longer comes with a [Receipt], on which the vault
// puts a tag. Before each use of what was fetched the daemon adds an [Entry] to its
// [Chain] and signs it with the key of its session, which the receipt names. So the
// vault can tell whose an entry is, also when it has forgotten the session.
package journal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/cortex-auth/cortex/vault/proof"
)

// The limits of an entry.
const (
	// MaxLine is the longest line, in bytes, without its LF.
	MaxLine = 32 << 10
	// MaxNames is the most names in one.
	MaxNames = 1024
	maxName  = 512
)

// ErrEntry is returned for what is not in the one accepted form. It does not say
// which part was wrong: whoever wrote it may be an attacker.
var ErrEntry = errors.New("malformed journal entry")

// Root is what the first entry of a chain follows.
var Root = strings.Repeat("0", 2*sha256.Size)

// An Entry says that a daemon used what it held. As a line it is
//
//	1|seq|prev|at|receipt|names|signature
//
// without anything around it. What stands before the signature is signed, behind
// the words "offline-use|".
type Entry struct {
	Seq     uint64   // from 1 on
	Prev    string   // the [Entry.Hash] of the one before, or [Root]
	At      int64    // Unix seconds, by the daemon's clock
	Receipt string   // of the fetch whose values were used, as the vault gave it
	Names   []string // variables, sorted, each once; joined with commas
	// Signature is by the key of the session that the receipt names.
	Signature []byte
}

// Parse reads a line. What parses is returned unchanged by [Entry.Line].
func Parse(line string) (Entry, error) {
	if len(line) > MaxLine {
		return Entry{}, ErrEntry
	}
	part := strings.Split(line, "|")
	if len(part) != 7 || part[0] != "1" {
		return Entry{}, ErrEntry
	}
	e := Entry{Prev: part[2], Receipt: part[4]}
	if part[5] != "" {
		e.Names = strings.Split(part[5], ",")
	}
	var err error
	if e.Seq, err = strconv.ParseUint(part[1], 10, 64); err != nil {
		return Entry{}, ErrEntry
	}
	if e.At, err = strconv.ParseInt(part[3], 10, 64); err != nil {
		return Entry{}, ErrEntry
	}
	if e.Signature, err = proof.DecodeSignatureURL(part[6]); err != nil {
		return Entry{}, ErrEntry
	}
	if !e.wellFormed() || e.Line() != line {
		return Entry{}, ErrEntry
	}
	return e, nil
}

func (e Entry) wellFormed() bool {
	_, err := ParseReceipt(e.Receipt)
	return err == nil && e.Seq >= 1 && e.At >= 0 && len(e.Prev) == len(Root) && isHex(e.Prev) &&
		len(e.Names) <= MaxNames && sortedNames(e.Names)
}

// sortedNames reports whether each name can stand in an entry, and follows those
// before it.
func sortedNames(names []string) bool {
	for i, name := range names {
		if !ValidName(name) || i > 0 && names[i-1] >= name {
			return false
		}
	}
	return true
}

// ValidName reports whether a variable can stand in an entry: 1 to 512 of
// A-Z a-z 0-9 _ . / and -, as all have that can have a secret.
func ValidName(s string) bool { return len(s) <= maxName && proof.ValidPath(s) }

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

// unsigned is the line without its signature, and without the bar before it.
func (e Entry) unsigned() string {
	return strings.Join([]string{
		"1", strconv.FormatUint(e.Seq, 10), e.Prev, strconv.FormatInt(e.At, 10), e.Receipt, strings.Join(e.Names, ","),
	}, "|")
}

// Line returns the entry as it is kept and sent.
func (e Entry) Line() string { return e.unsigned() + "|" + proof.EncodeSignature(e.Signature) }

// Message returns the bytes that the daemon signs.
func (e Entry) Message() []byte { return []byte("offline-use|" + e.unsigned()) }

// SignedBy reports whether it is key's.
func (e Entry) SignedBy(key ed25519.PublicKey) bool {
	return ed25519.Verify(key, e.Message(), e.Signature)
}

// Hash returns the SHA-256 of the line, in lower-case hex: what the next one names.
func (e Entry) Hash() string {
	sum := sha256.Sum256([]byte(e.Line()))
	return hex.EncodeToString(sum[:])
}

// A Chain is how far a chain of entries goes. The zero value has none.
type Chain struct {
	Seq  uint64
	Hash string // of the last entry
}

// Next returns the entry that follows, yet to be signed, and false if there is
// no such entry: names that cannot stand in one, or too many of them.
func (c Chain) Next(at int64, receipt string, names []string) (Entry, bool) {
	e := Entry{Seq: c.Seq + 1, Prev: c.head(), At: at, Receipt: receipt, Names: slices.Compact(slices.Sorted(slices.Values(names)))}
	return e, e.wellFormed() && len(e.Line())+signatureSize <= MaxLine
}

// signatureSize is how long a signature is in a line.
const signatureSize = 86

// Follows reports whether e is the entry that comes next.
func (c Chain) Follows(e Entry) bool { return e.Seq == c.Seq+1 && e.Prev == c.head() }

// After returns the chain that ends with e.
func After(e Entry) Chain { return Chain{e.Seq, e.Hash()} }

func (c Chain) head() string {
	if c.Seq == 0 {
		return Root
	}
	return c.Hash
}
