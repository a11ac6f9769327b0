package audit_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/audit"
)

// exported is what another implementation made of the records of
// testdata/vectors.txt: testdata/export.jsonl.
func exported(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/export.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// readExport reads an export, and returns its records and what was wrong.
func readExport(text []byte) (x *audit.ExportReader, all []audit.Record, err error) {
	x, err = audit.NewExportReader(bytes.NewReader(text))
	if err != nil {
		return x, nil, err
	}
	for r, err := range x.Records() {
		if err != nil {
			return x, all, err
		}
		all = append(all, r)
	}
	return x, all, nil
}

func TestExportVector(t *testing.T) {
	text := exported(t)
	x, all, err := readExport(text)
	if err != nil {
		t.Fatal(err)
	}
	v := audit.NewVerifier(keys("k1,k2"))
	again := x.Header.Line()
	for _, r := range all {
		line, err := r.Line()
		if err != nil || !v.Add(r) {
			t.Fatalf("%v, %v", err, v.Finish(nil).Broken)
		}
		again = append(again, line...)
	}
	if again = append(again, x.End.Line()...); !bytes.Equal(again, text) {
		t.Errorf("written again:\n%s\nwant\n%s", again, text)
	}
	if x.End.Rows != 4 || x.Header.VaultID == "" {
		t.Errorf("%+v, %+v", x.Header, x.End)
	}
}

// Whatever is done to an export, it does not read as whole.
func TestExportBroken(t *testing.T) {
	text := exported(t)
	lines := bytes.SplitAfter(text, []byte("\n"))
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	last := len(lines) - 2 // behind it is nothing
	for name, c := range map[string]struct {
		text []byte
		want string
	}{
		"nothing":            {nil, "cut off"},
		"no header":          {join(lines[1:]...), "not a line"},
		"no trailer":         {join(lines[:last]...), "cut off"},
		"no record":          {join(lines[0], lines[last]), "it says 4 records"},
		"one record less":    {join(join(lines[:2]...), join(lines[3:]...)), "it says 4 records"},
		"half a line":        {text[:len(text)-10], "not a line"},
		"no last line end":   {text[:len(text)-1], "not a line"},
		"something behind":   {join(text, lines[1]), "follows"},
		"half a line behind": {join(text, []byte("x")), "follows"},
		"two headers":        {join(lines[0], text), "not a line"},
		"carriage returns":   {bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), "not a line"},
		"white space":        {bytes.Replace(text, []byte(`"seq":`), []byte(`"seq": `), 1), "not a line"},
		"another member":     {bytes.Replace(text, []byte(`"seq":`), []byte(`"x":1,"seq":`), 1), "not a line"},
		"twice a member":     {bytes.Replace(text, []byte(`"seq":`), []byte(`"seq":1,"seq":`), 1), "not a line"},
		"another action":     {bytes.Replace(text, []byte(`"action":"`), []byte(`"action":"x`), 1), "not a line"},
		"capitals":           {bytes.Replace(text, []byte(`"row_hash":"`), []byte(`"row_hash":"A`), 1), "not a line"},
		"a long line":        {join(lines[0], bytes.Repeat([]byte(" "), 11<<20)), "too long"},
		"an error":           {join(join(lines[:last]...), (&audit.ExportError{Why: "record 5: missing"}).Line()), "not whole: record 5: missing"},
	} {
		_, _, err := readExport(c.text)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
		if _, ok := errors.AsType[*audit.ExportError](err); !ok && !errors.Is(err, audit.ErrMalformed) {
			t.Errorf("%s: %v is of no kind", name, err)
		}
	}
}

// An export is verified from the record before it on, and proves nothing of its
// end but up to what is pinned.
func TestExportVerify(t *testing.T) {
	text := exported(t)
	_, all, err := readExport(text)
	if err != nil {
		t.Fatal(err)
	}
	write := func(h audit.ExportHeader, records ...audit.Record) []byte {
		text, end := h.Line(), audit.ExportEnd{End: h.After}
		for _, r := range records {
			line, err := r.Line()
			if err != nil {
				t.Fatal(err)
			}
			e, _ := r.Entry()
			text, end = append(text, line...), audit.ExportEnd{End: audit.Boundary{Seq: e.Seq, RowHash: r.RowHash}, Rows: end.Rows + 1}
		}
		return append(text, end.Line()...)
	}
	h := audit.ExportHeader{VaultID: "v", After: audit.Boundary{Seq: 1, RowHash: all[0].PrevHash}}
	elsewhere := h
	elsewhere.After.RowHash[0] ^= 1
	pin := func(seq uint64) *audit.Pin { return &audit.Pin{Seq: seq, RowHash: all[seq-2].RowHash} }
	for name, c := range map[string]struct {
		text   []byte
		pin    *audit.Pin
		broken uint64
	}{
		"whole":                       {text, nil, 0},
		"whole, with its last":        {text, pin(5), 0},
		"whole, with its first":       {text, pin(2), 0},
		"the one before it":           {text, &audit.Pin{Seq: 1, RowHash: all[0].PrevHash}, 0},
		"another before it":           {text, &audit.Pin{Seq: 1}, 2},
		"another in it":               {text, &audit.Pin{Seq: 3}, 3},
		"one beyond it":               {text, &audit.Pin{Seq: 6}, 6},
		"cut and mended":              {write(h, all[:3]...), nil, 0},
		"cut and mended, with a head": {write(h, all[:3]...), pin(5), 5},
		"cut off":                     {bytes.Join(bytes.SplitAfter(text, []byte("\n"))[:4], nil), nil, 5},
		"linked elsewhere":            {write(elsewhere, all...), nil, 2},
		"one taken out":               {write(h, all[0], all[2], all[3]), nil, 3},
		"the first taken out":         {write(h, all[1:]...), nil, 2},
		"nothing in it":               {write(h), nil, 0},
		"nothing, after it":           {write(h), &audit.Pin{Seq: 1, RowHash: all[0].PrevHash}, 0},
		"nothing, after another":      {write(h), &audit.Pin{Seq: 1}, 2},
		"nothing, and one beyond it":  {write(h), pin(2), 2},
	} {
		x, err := audit.NewExportReader(bytes.NewReader(c.text))
		if err != nil {
			t.Fatal(err)
		}
		report, err := x.Verify(c.pin)
		broken := uint64(0)
		if report.Broken != nil {
			broken = report.Broken.Seq
		}
		if err != nil || broken != c.broken || !report.Open && broken == 0 || report.Keyed {
			t.Errorf("%s: %+v, %v, %v", name, report, report.Broken, err)
		}
	}
	later := audit.ExportHeader{VaultID: "v", After: audit.Boundary{Seq: 4, RowHash: all[2].RowHash}}
	for _, records := range [][]audit.Record{all[3:], nil} {
		x, err := audit.NewExportReader(bytes.NewReader(write(later, records...)))
		if err != nil {
			t.Fatal(err)
		}
		if r, err := x.Verify(pin(2)); !errors.Is(err, audit.ErrLost) || r.First != 5 || r.Last != 4+r.Rows {
			t.Errorf("%d records, a head from before them: %+v, %v", len(records), r, err)
		}
	}
	x, err := audit.NewExportReader(bytes.NewReader(append(write(h)[:len(h.Line())], (&audit.ExportError{Why: "sealed"}).Line()...)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Verify(nil); err == nil || !strings.Contains(err.Error(), "not whole: sealed") {
		t.Errorf("ends in an error: %v", err)
	}
}

// What is not text in an entry is replaced in the part for people, and is whole
// in the other.
func TestExportKeepsBytes(t *testing.T) {
	e := audit.Entry{Action: "a<b>\u2028\x00", Resource: new("\xff\xfe"), Status: "\"\\\n"}
	r, _, err := audit.Link(k1, audit.Begin(k1, "v"), e)
	if err != nil {
		t.Fatal(err)
	}
	line, err := r.Line()
	if err != nil || bytes.Count(line, []byte("\n")) != 1 || !json.Valid(line) {
		t.Fatalf("%q, %v", line, err)
	}
	back, err := audit.ParseExportRecord(line)
	if err != nil || !bytes.Equal(back.Marshal(), r.Marshal()) {
		t.Errorf("%v\n%x\n%x", err, back.Marshal(), r.Marshal())
	}
}

// What parses is written again as it was.
func FuzzExport(f *testing.F) {
	text := exported(f)
	f.Add(text)
	for _, line := range bytes.SplitAfter(text, []byte("\n")) {
		f.Add(line)
	}
	f.Add((&audit.ExportError{Why: "record 5: missing"}).Line())
	f.Fuzz(func(t *testing.T, text []byte) {
		x, all, err := readExport(text)
		if err != nil {
			if _, ok := errors.AsType[*audit.ExportError](err); !ok && !errors.Is(err, audit.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again := x.Header.Line()
		for _, r := range all {
			line, err := r.Line()
			if err != nil {
				t.Fatal(err)
			}
			again = append(again, line...)
		}
		if again = append(again, x.End.Line()...); !bytes.Equal(again, text) {
			t.Fatalf("written again: %q\nwant %q", again, text)
		}
	})
}
