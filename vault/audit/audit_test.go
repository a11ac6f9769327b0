package audit_test

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/vault/audit"
)

func TestRoundTrip(t *testing.T) {
	for name, e := range map[string]audit.Entry{
		"nothing":        {Time: time.Unix(0, 0).UTC()},
		"most":           entry(1),
		"not UTF-8":      {Time: time.Unix(0, 0).UTC(), ID: "\xff\x00\n", Resource: new("\xc0")},
		"negative PID":   {Time: time.Unix(0, 0).UTC(), Caller: audit.Caller{PID: new(int64(-1 << 63))}},
		"year 1":         {Time: time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
		"year 9999":      {Time: time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)},
		"before 1970":    {Time: time.Date(1969, 12, 31, 23, 59, 59, 1, time.UTC)},
		"empty resource": {Time: time.Unix(0, 0).UTC(), Resources: []audit.Resource{{}, {}}},
	} {
		got, err := audit.DecodeEntry(e.Encode())
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

// TestEncodingDistinguishes changes one field at a time: no two entries may
// have the same encoding, and absent is not empty.
func TestEncodingDistinguishes(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, e audit.Entry) {
		t.Helper()
		enc := string(e.Encode())
		if before, ok := seen[enc]; ok {
			t.Errorf("%s and %s have the same encoding", before, name)
		}
		seen[enc] = name
	}
	add("zero", audit.Entry{})
	fields(reflect.TypeFor[audit.Entry](), nil, func(name string, index []int, kind reflect.Type) {
		var values []any
		switch kind {
		case reflect.TypeFor[string]():
			values = []any{"a", "\x00"}
		case reflect.TypeFor[*string]():
			values = []any{new(""), new("a")}
		case reflect.TypeFor[*int64]():
			values = []any{new(int64(0)), new(int64(-1))}
		case reflect.TypeFor[uint64]():
			values = []any{uint64(1), uint64(1 << 63)}
		case reflect.TypeFor[time.Time]():
			values = []any{time.Unix(0, 0), time.Unix(0, 1), time.Unix(1, 0)}
		case reflect.TypeFor[[]audit.Resource]():
			values = []any{
				[]audit.Resource{{}},
				[]audit.Resource{{}, {}},
				[]audit.Resource{{Path: "a"}},
				[]audit.Resource{{Decision: "a"}},
				[]audit.Resource{{Path: "a"}, {Path: "b"}},
				[]audit.Resource{{Path: "a", Decision: "b"}},
				[]audit.Resource{{Path: "b"}, {Path: "a"}},
			}
		default:
			t.Fatalf("%s is a %s", name, kind)
		}
		for _, v := range values {
			var e audit.Entry
			reflect.ValueOf(&e).Elem().FieldByIndex(index).Set(reflect.ValueOf(v))
			add(name, e)
			if got, err := audit.DecodeEntry(withTime(e).Encode()); err != nil || !reflect.DeepEqual(got, withTime(e)) {
				t.Errorf("%s: decodes as %+v, %v", name, got, err)
			}
		}
	})
	if len(seen) < 45 {
		t.Errorf("only %d entries", len(seen))
	}
	a, b := audit.Entry{}, audit.Entry{Resources: []audit.Resource{}}
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Error("no resources and an empty list of them differ")
	}
}

// fields calls fn for each field of a struct, and of the structs in it.
func fields(t reflect.Type, index []int, fn func(name string, index []int, kind reflect.Type)) {
	for f := range t.Fields() {
		at := append(slices.Clone(index), f.Index...)
		if f.Type.Kind() == reflect.Struct && f.Type != reflect.TypeFor[time.Time]() {
			fields(f.Type, at, fn)
			continue
		}
		fn(t.Name()+"."+f.Name, at, f.Type)
	}
}

// withTime returns e as it is decoded: in UTC.
func withTime(e audit.Entry) audit.Entry {
	e.Time = e.Time.UTC()
	return e
}

func TestTimeOfAnyZone(t *testing.T) {
	a, b := entry(1), entry(1)
	b.Time = b.Time.In(time.FixedZone("elsewhere", 3600))
	if !bytes.Equal(a.Encode(), b.Encode()) {
		t.Error("the zone of the time is encoded")
	}
}

func TestLink(t *testing.T) {
	begin := audit.Begin(k1, "vault")
	if begin.Seq != 0 || begin.RowHash != [32]byte{} || !begin.Genuine(k1) {
		t.Errorf("begins at %+v", begin)
	}
	e := entry(1)
	e.Seq = 99
	r, head, err := audit.Link(k1, begin, e)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Entry()
	e.Seq = 1
	if err != nil || !reflect.DeepEqual(got, e) {
		t.Errorf("holds %+v, %v", got, err)
	}
	if head.Seq != 1 || head.VaultID != "vault" || head.RowHash != r.RowHash || head.KID != "k1" || !head.Genuine(k1) {
		t.Errorf("head is %+v", head)
	}
	// Another key takes over without a gap.
	r2, head2, err := audit.Link(k2, head, entry(2))
	if err != nil {
		t.Fatal(err)
	}
	if broken := verify(t, sequence([]audit.Record{r, r2}), &head2); broken != nil {
		t.Error(broken)
	}
}

func TestLinkRefuses(t *testing.T) {
	begin := audit.Begin(k1, "vault")
	large := entry(1)
	// The largest that fits, found by its encoding.
	large.Resource = new("")
	room := audit.MaxEncoding - len(large.Encode())
	for extra, ok := range map[int]bool{-1: true, 0: true, 1: false, 1 << 24: false} {
		large.Resource = new(strings.Repeat("x", room+extra))
		r, _, err := audit.Link(k1, begin, large)
		if ok != (err == nil) || err != nil && !errors.Is(err, audit.ErrMalformed) {
			t.Errorf("%d bytes more than fit: %v", extra, err)
		}
		if err == nil {
			if _, err := audit.ParseRecord(r.Marshal()); err != nil {
				t.Errorf("%d bytes more than fit: %v", extra, err)
			}
		}
	}
	without := entry(1)
	without.Caller.PID = nil
	without.Resource = new("")
	without.Resource = new(strings.Repeat("x", audit.MaxEncoding-len(without.Encode())))
	if _, _, err := audit.Link(k1, begin, without); err != nil {
		t.Errorf("the largest without a process id: %v", err)
	}
	for _, when := range []time.Time{time.Date(0, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)} {
		e := entry(1)
		e.Time = when
		if _, _, err := audit.Link(k1, begin, e); !errors.Is(err, audit.ErrMalformed) {
			t.Errorf("%s: %v", when, err)
		}
	}
	if _, _, err := audit.Link(k1, begin, audit.Entry{}); err != nil {
		t.Errorf("the zero time: %v", err)
	}
	long := strings.Repeat("k", 257)
	if _, _, err := audit.Link(key{kid: long}, begin, entry(1)); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("key id of %d bytes: %v", len(long), err)
	}
	if _, _, err := audit.Link(k1, audit.Begin(k1, long), entry(1)); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("vault id of %d bytes: %v", len(long), err)
	}
	if _, err := audit.DecodeEntry(make([]byte, audit.MaxEncoding+1)); !errors.Is(err, audit.ErrMalformed) {
		t.Errorf("decoding more than the limit: %v", err)
	}
}

// TestParsedRecordSharesMemory is what [audit.ParseRecord] warns of.
func TestParsedRecordSharesMemory(t *testing.T) {
	records, _ := chain(t, 1)
	b := records[0].Marshal()
	r, err := audit.ParseRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Entry()
	if err != nil {
		t.Fatal(err)
	}
	clear(b)
	if !bytes.Equal(r.Enc, make([]byte, len(r.Enc))) {
		t.Error("Enc is a copy")
	}
	if e.ID != "entry-0" || r.KID != "k1" {
		t.Error("entry or key id are not copies")
	}
	if _ = append(r.Enc, 1); b[len(b)-1] != 0 {
		t.Error("appending to Enc writes on")
	}
}

func FuzzDecodeEntry(f *testing.F) {
	for _, v := range vectors(f, "entry") {
		f.Add(v.bytes(f, "enc"))
	}
	f.Fuzz(func(t *testing.T, enc []byte) {
		e, err := audit.DecodeEntry(enc)
		if err != nil {
			if !errors.Is(err, audit.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(e.Encode(), enc) {
			t.Errorf("%x encodes to\n%x", enc, e.Encode())
		}
	})
}

func FuzzParseRecord(f *testing.F) {
	for _, kind := range []string{"record", "stored"} {
		for _, v := range vectors(f, kind) {
			f.Add(v.bytes(f, map[string]string{"record": "stored", "stored": "bytes"}[kind]))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := audit.ParseRecord(b)
		if err != nil {
			if !errors.Is(err, audit.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(r.Marshal(), b) {
			t.Errorf("%x marshals to\n%x", b, r.Marshal())
		}
		// Whatever it is, verifying it must end in a report.
		if report, err := audit.Verify(sequence([]audit.Record{r}), nil, nil); err != nil || report.Broken == nil {
			t.Errorf("%x: %+v, %v", b, report, err)
		}
	})
}

func FuzzParseHead(f *testing.F) {
	for _, v := range vectors(f, "head") {
		f.Add(v.bytes(f, "stored"))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := audit.ParseHead(b)
		if err != nil {
			if !errors.Is(err, audit.ErrMalformed) {
				t.Error(err)
			}
			return
		}
		if !bytes.Equal(h.Marshal(), b) {
			t.Errorf("%x marshals to\n%x", b, h.Marshal())
		}
	})
}

func FuzzParseBoundary(f *testing.F) {
	f.Add("42:" + strings.Repeat("ab", 32))
	f.Add("0:")
	f.Fuzz(func(t *testing.T, s string) {
		b, err := audit.ParseBoundary(s)
		if err == nil && b.String() != s {
			t.Errorf("%q reads %q", s, b)
		}
	})
}

func BenchmarkLink(b *testing.B) {
	head, e := audit.Begin(k1, "6f1c2b1e-0000-4000-8000-000000000001"), entry(1)
	for range 8 {
		e.Resources = append(e.Resources, audit.Resource{Path: "some/secret/path", Decision: "allowed"})
	}
	b.ReportAllocs()
	for b.Loop() {
		r, next, err := audit.Link(k1, head, e)
		if err != nil {
			b.Fatal(err)
		}
		head = next
		r.Marshal()
	}
}
