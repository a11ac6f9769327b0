package audit

import (
	"errors"
	"fmt"
)

// ErrLost is in the chain of the error about a pinned record that was pruned
// together with the one after it, or is older than an export: nothing ties it to
// the chain.
var ErrLost = errors.New("a newer head is needed")

// wentElsewhere says what another record than the pinned one means. Only the
// records tell which it was: restoring a backup is one.
const wentElsewhere = "the chain went on from an older copy, as it does after a restore, or was written anew"

// A Pin is a record that somebody took note of outside the vault. A chain that
// does not have it is an older copy, went on from one, or was written anew.
type Pin struct {
	// Seq is its number.
	Seq uint64
	// RowHash is its hash.
	RowHash [32]byte
}

// Tied returns an ErrLost if an intact chain begins so late that nothing ties the
// pinned record to it. A nil Pin asks for nothing.
func (p *Pin) Tied(r Report) error {
	if p == nil || r.Broken != nil || p.Seq+1 >= r.First {
		return nil
	}
	return fmt.Errorf("the head's record %d was before the first one that is there, %d, and nothing ties it to that: %w", p.Seq, r.First, ErrLost)
}

// Pin has the verifier ask for a record. It must be called before the first one
// is added.
func (v *Verifier) Pin(p Pin) { v.pin = &p }

// checkPin sees to it that the chain reaches the pinned record. One that is there
// was compared when it was added.
func (v *Verifier) checkPin() {
	switch {
	case v.pin == nil:
	case v.pin.Seq > v.report.Last:
		v.report.Broken = &Break{v.report.Last + 1, fmt.Sprintf("missing; the pinned head is at %d: this is an older copy, or was cut off", v.pin.Seq)}
	case v.pin.Seq == v.before.Seq && v.pin.RowHash != v.before.RowHash:
		v.report.Broken = &Break{v.report.First, "not linked to the record of the pinned head: " + wentElsewhere}
	}
}
