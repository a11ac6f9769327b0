package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/audit"
)

// sequence returns records as they come out of a store.
func sequence(records []audit.Record) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// parsed returns stored records as they are parsed on the way out.
func parsed(stored [][]byte) iter.Seq2[audit.Record, error] {
	return func(yield func(audit.Record, error) bool) {
		for _, b := range stored {
			if !yield(audit.ParseRecord(b)) {
				return
			}
		}
	}
}

// entry returns an entry with something in most fields.
func entry(i int) audit.Entry {
	return audit.Entry{
		ID: fmt.Sprintf("entry-%d", i), Time: time.Date(2026, 1, 1, 0, 0, i, i, time.UTC),
		Actor:   audit.Actor{Kind: "agent", ID: "agent-7", Namespace: "default", Auth: "attestation"},
		AgentID: new("builder"), Project: new("my-app"), Action: "get_secrets",
		Resources: []audit.Resource{{Path: "db/password", Decision: "allowed"}, {Path: "api/key", Decision: "denied"}},
		Status:    "success", Caller: audit.Caller{PID: new(int64(i)), CWD: new(""), SourceIP: new("192.0.2.7")},
	}
}

// chain returns n records under k1, and their head.
func chain(t testing.TB, n int) ([]audit.Record, audit.Head) {
	t.Helper()
	var records []audit.Record
	head := audit.Begin(k1, "vault")
	for i := range n {
		r, h, err := audit.Link(k1, head, entry(i))
		if err != nil {
			t.Fatal(err)
		}
		records, head = append(records, r), h
	}
	return records, head
}

// verify returns the first break of a chain.
func verify(t testing.TB, records iter.Seq2[audit.Record, error], head *audit.Head) *audit.Break {
	t.Helper()
	report, err := audit.Verify(records, head, keys("k1,k2"))
	if err != nil {
		t.Fatal(err)
	}
	return report.Broken
}

func TestVerify(t *testing.T) {
	records, head := chain(t, 100)
	report, err := audit.Verify(sequence(records), &head, keys("k1"))
	want := audit.Report{Rows: 100, First: 1, Last: 100, Keyed: true}
	if err != nil || report != want {
		t.Errorf("got %+v, %v", report, err)
	}
	report, err = audit.Verify(sequence(nil), new(audit.Begin(k1, "vault")), keys("k1"))
	if err != nil || report != (audit.Report{Keyed: true}) {
		t.Errorf("an empty chain: %+v, %v", report, err)
	}
}

// TestAnyByteFlipped changes every byte of every stored record in turn. The
// record must be named.
func TestAnyByteFlipped(t *testing.T) {
	records, head := chain(t, 4)
	var stored [][]byte
	for _, r := range records {
		stored = append(stored, r.Marshal())
	}
	for i, b := range stored {
		for at := range b {
			for _, mask := range []byte{0x01, 0x80, 0xff} {
				bad := slices.Clone(stored)
				bad[i] = bytes.Clone(b)
				bad[i][at] ^= mask
				if broken := verify(t, parsed(bad), &head); broken == nil || broken.Seq != uint64(i+1) {
					t.Errorf("record %d, byte %d ^ %#x: %v", i+1, at, mask, broken)
				}
			}
		}
	}
}

func TestAnyByteOfHeadFlipped(t *testing.T) {
	records, head := chain(t, 3)
	stored := head.Marshal()
	for at := range stored {
		bad := bytes.Clone(stored)
		bad[at] ^= 0x10
		h, err := audit.ParseHead(bad)
		if err != nil {
			continue
		}
		if verify(t, sequence(records), &h) == nil {
			t.Errorf("byte %d: the chain is intact", at)
		}
		if h.Genuine(k1) {
			t.Errorf("byte %d: the head is genuine", at)
		}
	}
	if !head.Genuine(k1) || head.Genuine(k2) || head.Genuine(key{"k2", k1.secret}) || head.Genuine(key{"k1", k2.secret}) {
		t.Error("a head is genuine under its own key, name and secret, alone")
	}
}

// TestAnySubset takes a chain of six apart in every way.
func TestAnySubset(t *testing.T) {
	records, head := chain(t, 6)
	for kept := range 1 << 6 {
		var some []audit.Record
		missing := uint64(0)
		for i, r := range records {
			if kept&(1<<i) != 0 {
				some = append(some, r)
			} else if missing == 0 {
				missing = uint64(i + 1)
			}
		}
		broken := verify(t, sequence(some), &head)
		switch {
		case missing == 0 && broken != nil:
			t.Errorf("all there: %v", broken)
		case missing != 0 && kept == 0 && (broken == nil || broken.Seq != 1):
			t.Errorf("nothing there: %v", broken)
		case missing > 1 && (broken == nil || broken.Seq != missing):
			t.Errorf("kept %06b: %v, want record %d", kept, broken, missing)
		case missing == 1 && broken == nil:
			// Whether the beginning was pruned is known at the end only: a gap
			// in what follows is named before it.
			t.Errorf("kept %06b: intact", kept)
		}
	}
}

// TestAnyOrder puts a chain of four into every other order.
func TestAnyOrder(t *testing.T) {
	records, head := chain(t, 4)
	var permute func(done []audit.Record, rest []int)
	permute = func(done []audit.Record, rest []int) {
		if len(rest) > 0 {
			for i, r := range rest {
				permute(append(slices.Clone(done), records[r]), slices.Delete(slices.Clone(rest), i, i+1))
			}
			return
		}
		inOrder := slices.IsSortedFunc(done, func(a, b audit.Record) int { return bytes.Compare(a.Enc[:12], b.Enc[:12]) })
		if broken := verify(t, sequence(done), &head); (broken == nil) != inOrder {
			t.Errorf("in order: %t, broken: %v", inOrder, broken)
		}
	}
	permute(nil, []int{0, 1, 2, 3})
}

func TestReadError(t *testing.T) {
	records, head := chain(t, 3)
	failure := errors.New("disk on fire")
	report, err := audit.Verify(func(yield func(audit.Record, error) bool) {
		if yield(records[0], nil) && yield(audit.Record{}, failure) {
			t.Error("reads on after an error")
		}
	}, &head, keys("k1"))
	if !errors.Is(err, failure) || err.Error() != "reading record 2: disk on fire" || report.Rows != 1 || report.Broken != nil {
		t.Errorf("got %+v, %v", report, err)
	}
}

func TestMalformedIsABreak(t *testing.T) {
	records, head := chain(t, 3)
	stored := [][]byte{records[0].Marshal(), []byte("junk"), records[2].Marshal()}
	if broken := verify(t, parsed(stored), &head); broken == nil || *broken != (audit.Break{Seq: 2, Why: "malformed audit record: unknown format"}) {
		t.Errorf("broken: %v", broken)
	}
}

func TestVerifierStopsAtTheFirstBreak(t *testing.T) {
	records, head := chain(t, 4)
	v := audit.NewVerifier(keys("k1"))
	if !v.Add(records[0]) || v.Add(records[2]) || v.Add(records[1]) || v.Unreadable(errors.New("x")) {
		t.Error("goes on after a break")
	}
	want := audit.Break{Seq: 2, Why: "missing; record 3 stands in its place"}
	if report := v.Finish(&head); report.Broken == nil || *report.Broken != want || report.Rows != 1 {
		t.Errorf("got %+v, %v", report, report.Broken)
	}
	v = audit.NewVerifier(nil)
	if v.Unreadable(errors.New("why")) {
		t.Error("goes on after a break")
	}
	if report := v.Finish(nil); *report.Broken != (audit.Break{Seq: 1, Why: "why"}) {
		t.Errorf("got %+v", report)
	}
}

// TestForgedHeadIsNotExtended says why [audit.Link] wants a genuine head: who
// cuts the chain and forges a head would else be given a good one.
func TestForgedHeadIsNotExtended(t *testing.T) {
	records, head := chain(t, 4)
	forged := audit.Head{VaultID: head.VaultID, Seq: 2, RowHash: records[1].RowHash, KID: "k1", MAC: head.MAC}
	if forged.Genuine(k1) {
		t.Fatal("a forged head is genuine")
	}
	r, next, err := audit.Link(k1, forged, entry(9))
	if err != nil {
		t.Fatal(err)
	}
	if broken := verify(t, sequence(append(slices.Clone(records[:2]), r)), &next); broken != nil {
		t.Errorf("the comment of Link is too careful: %v", broken)
	}
}

func TestPrunedChain(t *testing.T) {
	records, head := chain(t, 20)
	boundary := audit.Boundary{Seq: 12, RowHash: records[11].RowHash}
	r, head, err := audit.Link(k1, head, audit.Entry{
		ID: "prune", Time: time.Unix(0, 0), Action: audit.ActionPrune, Resource: new(boundary.String()),
	})
	if err != nil {
		t.Fatal(err)
	}
	records = append(records, r)
	for from := range records {
		report, err := audit.Verify(sequence(records[from:]), &head, keys("k1"))
		if err != nil {
			t.Fatal(err)
		}
		want := audit.Report{Rows: uint64(21 - from), First: uint64(from + 1), Last: 21, Keyed: true}
		if from > 12 {
			if report.Broken == nil || report.Broken.Seq != 13 {
				t.Errorf("%d dropped: %v", from, report.Broken)
			}
			continue
		}
		if report != want {
			t.Errorf("%d dropped: %+v, %v", from, report, report.Broken)
		}
	}
}

func TestBoundary(t *testing.T) {
	b := audit.Boundary{Seq: 42, RowHash: [32]byte{0xab, 31: 0xcd}}
	text := "42:ab" + strings.Repeat("00", 30) + "cd"
	if b.String() != text {
		t.Errorf("reads %s", b)
	}
	if got, err := audit.ParseBoundary(text); err != nil || got != b {
		t.Errorf("got %v, %v", got, err)
	}
	hash := text[3:]
	for _, bad := range []string{
		"", "42", "42:", ":" + hash, "042:" + hash, "+42:" + hash, "-1:" + hash, "4 2:" + hash, "18446744073709551616:" + hash,
		text + "0", text[:len(text)-1], text[:len(text)-2], "42:" + strings.ToUpper(hash), "42:g" + hash[1:], text + "\n", " " + text, "42::" + hash,
	} {
		if got, err := audit.ParseBoundary(bad); !errors.Is(err, audit.ErrMalformed) {
			t.Errorf("%q: %v, %v", bad, got, err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	records, head := chain(b, 1000)
	b.ReportAllocs()
	for b.Loop() {
		if report, err := audit.Verify(sequence(records), &head, keys("k1")); err != nil || report.Broken != nil {
			b.Fatal(report, err)
		}
	}
}
