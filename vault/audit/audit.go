// Package audit is the tamper-evident record of what a vault did: the form of
// its entries, the chain that binds each to all before it, and the
// verification of that chain. It does no I/O; the vault stores what [Link]
// returns, and feeds what it stored to [Verify].
//
// Three things protect an entry. Its row hash covers its content and the row
// hash before it, so that nothing can be changed, dropped, inserted or moved
// without recomputing all that follows; everybody can check that. Its MAC
// covers the row hash, and can be recomputed only with a key that is sealed in
// the vault. The [Head], under a MAC of its own label, says where the chain
// ends, so that cutting off the end takes an older copy of the head. Heads
// pinned outside the vault show that as well.
//
// The beginning of a chain may be pruned. The entry that records it carries
// the [Boundary], without which missing first records are a break.
package audit

import (
	"errors"
	"fmt"
	"time"
)

// The labels that keep the MACs of entries and heads apart.
const (
	labelEntry = "cortex/audit/entry/1"
	labelHead  = "cortex/audit/head/1"
)

// A MACKey is a key of the chain.
type MACKey interface {
	// KID returns the name of the key, by which records refer to it.
	KID() string
	// AuditTag returns a MAC over label and parts, unambiguously framed.
	AuditTag(label string, parts ...[]byte) [32]byte
}

// Begin returns the head of a chain that has no records yet. It has a MAC too:
// otherwise whoever wipes the whole chain could put it in place.
func Begin(key MACKey, vaultID string) Head {
	h := Head{VaultID: vaultID, KID: key.KID()}
	h.MAC = h.tag(key)
	return h
}

// Link makes the record of e that follows prev, and the head that points to
// it. It sets e.Seq. An entry that is too large, or whose time cannot be
// encoded, is ErrMalformed.
//
// Link does not look at the MAC of prev. Whoever takes up a stored chain must
// ask [Head.Genuine] first, or would put a good head on a forged one.
func Link(key MACKey, prev Head, e Entry) (Record, Head, error) {
	e.Seq = prev.Seq + 1
	if err := errors.Join(e.check(), checkName(prev.VaultID), checkName(key.KID())); err != nil {
		return Record{}, Head{}, err
	}
	r := Record{Enc: e.Encode(), PrevHash: prev.RowHash, KID: key.KID()}
	r.RowHash = r.rowHash()
	r.MAC = r.tag(key)

	h := Head{VaultID: prev.VaultID, Seq: e.Seq, RowHash: r.RowHash, KID: r.KID}
	h.MAC = h.tag(key)
	return r, h, nil
}

// check refuses what could be encoded but not decoded.
func (e Entry) check() error {
	if sec := e.Time.Unix(); sec < minSecond || sec > maxSecond {
		return fmt.Errorf("%w: time %s", ErrMalformed, e.Time.UTC().Format(time.RFC3339))
	}
	if n := e.size(); n > MaxEncoding {
		return fmt.Errorf("%w: entry of %d bytes", ErrMalformed, n)
	}
	return nil
}

// checkName refuses ids that ParseRecord or ParseHead would not take back.
func checkName(id string) error {
	if len(id) > maxName {
		return fmt.Errorf("%w: id of %d bytes", ErrMalformed, len(id))
	}
	return nil
}

// size returns the length of the encoding without making it, so that a
// monstrous entry costs nothing.
func (e Entry) size() int {
	n := 21*4 + 8 + 12
	if e.Caller.PID != nil {
		n += 8
	}
	for _, s := range []string{e.ID, e.Actor.Kind, e.Actor.ID, e.Actor.Namespace, e.Actor.Auth, e.Action, e.Status} {
		n += len(s)
	}
	optional := []*string{e.AgentID, e.Project, e.Resource}
	for _, field := range e.Caller.strings() {
		optional = append(optional, *field)
	}
	for _, s := range optional {
		if s != nil {
			n += len(*s)
		}
	}
	for _, r := range e.Resources {
		n += 8 + len(r.Path) + len(r.Decision)
	}
	return n
}
