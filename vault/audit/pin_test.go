package audit_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/audit"
)

// verifyPinned verifies records that must have the pinned one.
func verifyPinned(records []audit.Record, head *audit.Head, p audit.Pin) audit.Report {
	v := audit.NewVerifier(keys("k1"))
	v.Pin(p)
	for _, r := range records {
		v.Add(r)
	}
	if head == nil {
		return v.FinishOpen()
	}
	return v.Finish(head)
}

func TestPin(t *testing.T) {
	records, head := chain(t, 6)
	older, olderHead := records[:4], audit.Head{}
	_, olderHead = chain(t, 4)
	for i, r := range records {
		p := audit.Pin{Seq: uint64(i + 1), RowHash: r.RowHash}
		if report := verifyPinned(records, &head, p); report.Broken != nil || p.Tied(report) != nil {
			t.Errorf("pinned at %d: %v", p.Seq, report.Broken)
		}
		// An older copy is genuine in itself.
		report := verifyPinned(older, &olderHead, p)
		if p.Seq <= 4 != (report.Broken == nil) || p.Seq > 4 && report.Broken.Seq != 5 {
			t.Errorf("an older copy, pinned at %d: %v", p.Seq, report.Broken)
		}
		if p.Seq > 4 && !strings.Contains(report.Broken.Why, "older copy") {
			t.Errorf("says %s", report.Broken)
		}
		// So is what whoever has the key writes anew.
		p.RowHash[0] ^= 1
		if report := verifyPinned(records, &head, p); report.Broken == nil || report.Broken.Seq != p.Seq || !strings.Contains(report.Broken.Why, "anew") {
			t.Errorf("written anew, pinned at %d: %v", p.Seq, report.Broken)
		}
	}
	if report := verifyPinned(nil, new(audit.Begin(k1, "vault")), audit.Pin{Seq: 1}); report.Broken == nil || report.Broken.Seq != 1 {
		t.Errorf("nothing left: %v", report.Broken)
	}
}

// What was pruned cannot be compared. The last of it can, by the link to it.
func TestPinOfPrunedRecord(t *testing.T) {
	records, head := chain(t, 6)
	hashes := [][32]byte{{}}
	for _, r := range records {
		hashes = append(hashes, r.RowHash)
	}
	r, head, err := audit.Link(k1, head, audit.Entry{
		ID: "prune", Time: time.Unix(0, 0), Action: audit.ActionPrune, Resource: new(audit.Boundary{Seq: 3, RowHash: hashes[3]}.String()),
	})
	if err != nil {
		t.Fatal(err)
	}
	kept := append(slices.Clone(records[3:]), r)
	for seq := uint64(1); seq <= 6; seq++ {
		for _, changed := range []bool{false, true} {
			p := audit.Pin{Seq: seq, RowHash: hashes[seq]}
			if changed {
				p.RowHash[31] ^= 1
			}
			report := verifyPinned(kept, &head, p)
			if lost := seq < 3; errors.Is(p.Tied(report), audit.ErrLost) != lost {
				t.Errorf("pinned at %d: lost %v", seq, !lost)
			}
			if bad := seq >= 3 && changed; bad != (report.Broken != nil) {
				t.Errorf("pinned at %d, changed %v: %v", seq, changed, report.Broken)
			}
		}
	}
}

// A copy without a head may end anywhere, but not before what is pinned.
func TestOpenEnd(t *testing.T) {
	records, _ := chain(t, 6)
	for n := range records {
		p := audit.Pin{Seq: 4, RowHash: records[3].RowHash}
		if report := verifyPinned(records[:n], nil, p); (n < 4) != (report.Broken != nil) {
			t.Errorf("%d records: %v", n, report.Broken)
		}
	}
	v := audit.NewVerifier(nil)
	v.Add(records[0])
	v.Add(records[2])
	if report := v.FinishOpen(); report.Broken == nil || report.Broken.Seq != 2 {
		t.Errorf("a gap: %v", report.Broken)
	}
}
