package audit

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"iter"
)

// A Report is the outcome of a verification.
type Report struct {
	// Rows is the number of records found good.
	Rows uint64
	// First and Last are the numbers of the first and the last good record.
	// First is more than 1 after pruning. If there is none, Last is the number
	// of the record before, as far as that is known, and else 0.
	First, Last uint64
	// Keyed tells whether MACs were checked, not only hashes.
	Keyed bool
	// Open tells that there was no head to say whether records are missing at
	// the end.
	Open bool
	// Broken is the first thing found wrong, nil if the chain is intact.
	Broken *Break
}

// A Break is the first bad place in a chain.
type Break struct {
	// Seq is the number of the record that is bad or missing. If the head is,
	// it is the number of the last record, 0 if there is none.
	Seq uint64
	// Why says what is wrong with it, for people.
	Why string
}

// String returns the break as a sentence without a full stop.
func (b Break) String() string { return fmt.Sprintf("record %d: %s", b.Seq, b.Why) }

// Verify checks a chain in ascending order against its head. A nil head is a
// break: without it nobody can say whether the end is missing. keys holds the
// chain's keys by id; if it is nil no MAC is checked, which still shows
// accidents and clumsy hands, but not whoever recomputes the hashes.
//
// An error among the records that is ErrMalformed is a break. Any other means
// that the records could not be read, and is returned with what was verified
// until then.
func Verify(records iter.Seq2[Record, error], head *Head, keys map[string]MACKey) (Report, error) {
	v := NewVerifier(keys)
	if err := v.Read(records); err != nil {
		return v.report, err
	}
	return v.Finish(head), nil
}

// Read adds the next records, up to the first break. Errors among them are as in
// [Verify].
func (v *Verifier) Read(records iter.Seq2[Record, error]) error {
	for r, err := range records {
		switch {
		case errors.Is(err, ErrMalformed):
			v.Unreadable(err)
		case err != nil:
			return fmt.Errorf("reading record %d: %w", v.Next(), err)
		default:
			v.Add(r)
		}
		if v.report.Broken != nil {
			break
		}
	}
	return nil
}

// A Verifier verifies a chain piece by piece, or record by record. It is what
// lies under [Verify].
type Verifier struct {
	keys     map[string]MACKey
	report   Report
	last     [32]byte  // row hash of the last good record
	before   Boundary  // the record before the first
	given    bool      // before is known without the first record
	boundary *Boundary // the furthest that records speak of
	pin      *Pin      // a record that must be there
}

// NewVerifier returns a Verifier at the beginning of a chain. keys is as in
// [Verify].
func NewVerifier(keys map[string]MACKey) *Verifier {
	return &Verifier{keys: keys, report: Report{Keyed: keys != nil}}
}

// After says what the record before the first one is. It must be called before
// that is added.
func (v *Verifier) After(b Boundary) {
	v.given = true
	v.begin(b)
}

// begin has the chain begin after a record.
func (v *Verifier) begin(after Boundary) {
	v.before, v.last = after, after.RowHash
	v.report.First, v.report.Last = after.Seq+1, after.Seq
}

// Add checks the next record and reports whether the chain is intact so far.
// After a break it does nothing.
func (v *Verifier) Add(r Record) bool {
	if v.report.Broken != nil {
		return false
	}
	if r.rowHash() != r.RowHash {
		return v.broken(v.place(r), "content does not match the row hash")
	}
	e, err := r.Entry()
	if err != nil {
		return v.broken(v.place(r), err.Error())
	}
	if v.report.Rows == 0 && !v.given {
		v.begin(Boundary{max(e.Seq, 1) - 1, r.PrevHash})
	}
	if why := v.fault(r, e); why != "" {
		return v.broken(v.Next(), why)
	}
	if v.pin != nil && v.pin.Seq == e.Seq && v.pin.RowHash != r.RowHash {
		return v.broken(e.Seq, "is not the record of the pinned head: "+wentElsewhere)
	}
	v.remember(e)
	v.report.Rows++
	v.report.Last, v.last = e.Seq, r.RowHash
	return true
}

// Unreadable says that the next record is there but makes no sense, and why. It
// returns false, as Add does. Before the first good record it cannot know the
// number after pruning, and says 1.
func (v *Verifier) Unreadable(err error) bool {
	if v.report.Broken != nil {
		return false
	}
	return v.broken(v.Next(), err.Error())
}

// Next returns the number that the next record must have; before the first 1,
// although that may have another after pruning.
func (v *Verifier) Next() uint64 { return v.report.Last + 1 }

// place returns the number under which a bad record is reported. That of the
// first is its own word, unless nothing goes before it.
func (v *Verifier) place(r Record) uint64 {
	if v.report.Rows > 0 || v.given || r.PrevHash == [32]byte{} {
		return v.Next()
	}
	claim := reader{rest: r.Enc}
	return max(claim.uint64(), 1)
}

// broken records the first break.
func (v *Verifier) broken(seq uint64, why string) bool {
	if v.report.Rows == 0 {
		v.report.First, v.report.Last = 0, 0
	}
	v.report.Broken = &Break{seq, why}
	return false
}

// fault returns what is wrong with the next record, "" if nothing is.
func (v *Verifier) fault(r Record, e Entry) string {
	switch want := v.Next(); {
	case e.Seq > want:
		return fmt.Sprintf("missing; record %d stands in its place", e.Seq)
	case e.Seq < want:
		return fmt.Sprintf("record %d stands in its place", e.Seq)
	case r.PrevHash != v.last:
		return "not linked to the record before it"
	case e.Seq == 1 && r.PrevHash != [32]byte{}:
		return "first record is linked to one before it"
	}
	return v.faultMAC(r.KID, r.MAC, r.tag)
}

// faultMAC returns what is wrong with a MAC, "" if nothing is or MACs are not
// to be checked.
func (v *Verifier) faultMAC(kid string, mac [32]byte, tag func(MACKey) [32]byte) string {
	if v.keys == nil {
		return ""
	}
	key, ok := v.keys[kid]
	if !ok {
		return fmt.Sprintf("key %q of the MAC is unknown", kid)
	}
	if want := tag(key); subtle.ConstantTimeCompare(want[:], mac[:]) != 1 {
		return "MAC does not match"
	}
	return ""
}

// remember notes how far the chain says it was pruned. Only pruning of what
// lies before the entry itself can be meant.
func (v *Verifier) remember(e Entry) {
	if e.Action != ActionPrune || e.Resource == nil {
		return
	}
	b, err := ParseBoundary(*e.Resource)
	if err != nil || b.Seq >= e.Seq {
		return
	}
	if v.boundary == nil || b.Seq > v.boundary.Seq {
		v.boundary = &b
	}
}

// Finish checks the beginning and the end of the chain and returns the
// report. The Verifier must not be used afterwards.
func (v *Verifier) Finish(head *Head) Report {
	return v.finish(v.checkStart, func() { v.checkHead(head) }, v.checkPin)
}

// FinishOpen is Finish for a copy of a chain that came without its head.
// Whether records are missing at its end, only a [Pin] tells, and only up to
// there.
func (v *Verifier) FinishOpen() Report {
	v.report.Open = true
	return v.finish(v.checkStart, v.checkPin)
}

// finish runs checks until one finds a break.
func (v *Verifier) finish(checks ...func()) Report {
	for _, check := range checks {
		if v.report.Broken == nil {
			check()
		}
	}
	return v.report
}

// checkStart sees to it that what is missing at the beginning was pruned. A
// boundary beyond it is enough: pruning records how far it means to go, and then
// goes there in steps.
func (v *Verifier) checkStart() {
	if v.before.Seq == 0 || v.given {
		return
	}
	switch pruned, gone := v.boundary, v.before; {
	case pruned == nil:
		v.report.Broken = &Break{1, "missing, and its removal is not recorded"}
	case pruned.Seq < gone.Seq:
		v.report.Broken = &Break{pruned.Seq + 1, "missing, and its removal is not recorded"}
	case pruned.Seq == gone.Seq && pruned.RowHash != gone.RowHash:
		v.report.Broken = &Break{v.report.First, "not linked to the recorded end of the removed records"}
	}
}

// checkHead compares the end of the chain with the head.
func (v *Verifier) checkHead(head *Head) {
	last := v.report.Last
	if head == nil {
		v.report.Broken = &Break{last, "head is missing: records after this one may be too"}
		return
	}
	why := v.faultMAC(head.KID, head.MAC, head.tag)
	switch {
	case why != "":
		v.report.Broken = &Break{last, "head: " + why}
	case head.Seq > last:
		v.report.Broken = &Break{last + 1, fmt.Sprintf("missing; the chain was cut off before its head at %d", head.Seq)}
	case head.Seq < last:
		v.report.Broken = &Break{head.Seq + 1, "not covered by the head"}
	case head.RowHash != v.last:
		v.report.Broken = &Break{last, "row hash is not the head's"}
	}
}
