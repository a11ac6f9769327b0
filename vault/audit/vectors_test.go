package audit_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/audit"
)

// A key is a MACKey of the standard library's making.
type key struct {
	kid    string
	secret []byte
}

func (k key) KID() string { return k.kid }

func (k key) AuditTag(label string, parts ...[]byte) (sum [32]byte) {
	h := hmac.New(sha256.New, k.secret)
	for _, p := range append([][]byte{[]byte(label)}, parts...) {
		binary.Write(h, binary.BigEndian, uint32(len(p)))
		h.Write(p)
	}
	h.Sum(sum[:0])
	return sum
}

// The keys of the vectors.
var (
	k1 = key{"k1", bytes.Repeat([]byte{0x11}, 32)}
	k2 = key{"k2", bytes.Repeat([]byte{0x22}, 32)}
)

// keys returns those named.
func keys(names string) map[string]audit.MACKey {
	if names == "none" {
		return nil
	}
	all := map[string]audit.MACKey{}
	for name := range strings.SplitSeq(names, ",") {
		for _, k := range []key{k1, k2} {
			if k.kid == name {
				all[name] = k
			}
		}
	}
	return all
}

// A vector is one block of testdata/vectors.txt.
type vector map[string]string

// vectors returns the blocks of a kind.
func vectors(t testing.TB, kind string) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	var list []vector
	for block := range strings.SplitSeq(string(text), "\n\n") {
		v := vector{}
		for line := range strings.Lines(block) {
			if line = strings.TrimRight(line, "\n"); !strings.HasPrefix(line, "#") && line != "" {
				key, value, _ := strings.Cut(line, " ")
				v[key] = value
			}
		}
		if v["kind"] == kind {
			list = append(list, v)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no vectors of kind %s", kind)
	}
	return list
}

func (v vector) bytes(t testing.TB, key string) []byte {
	t.Helper()
	b, err := hex.DecodeString(v[key])
	if err != nil {
		t.Fatalf("vector %q: %s: %v", v["name"], key, err)
	}
	return b
}

// outcome returns what an error makes of a vector's want.
func outcome(err error) string {
	if err != nil {
		return err.Error()
	}
	return "ok"
}

func TestEntryVectors(t *testing.T) {
	for _, v := range vectors(t, "entry") {
		t.Run(v["name"], func(t *testing.T) {
			enc := v.bytes(t, "enc")
			e, err := audit.DecodeEntry(enc)
			if got := outcome(err); got != v["want"] {
				t.Fatalf("got %s, want %s", got, v["want"])
			}
			if err == nil && !bytes.Equal(e.Encode(), enc) {
				t.Errorf("encodes to %x\nwant %x", e.Encode(), enc)
			}
		})
	}
}

func TestStoredVectors(t *testing.T) {
	parsers := map[string]func([]byte) (interface{ Marshal() []byte }, error){
		"record": func(b []byte) (interface{ Marshal() []byte }, error) { return audit.ParseRecord(b) },
		"head":   func(b []byte) (interface{ Marshal() []byte }, error) { return audit.ParseHead(b) },
	}
	for kind, parse := range parsers {
		for _, v := range vectors(t, kind) {
			t.Run(kind+"/"+v["name"], func(t *testing.T) {
				stored := v.bytes(t, "stored")
				parsed, err := parse(stored)
				if got := outcome(err); got != v["want"] {
					t.Fatalf("got %s, want %s", got, v["want"])
				}
				if err == nil && !bytes.Equal(parsed.Marshal(), stored) {
					t.Errorf("marshals to %x\nwant %x", parsed.Marshal(), stored)
				}
			})
		}
	}
}

func TestChainVectors(t *testing.T) {
	stored := map[string][]byte{}
	for _, v := range vectors(t, "stored") {
		stored[v["name"]] = v.bytes(t, "bytes")
	}
	for _, v := range vectors(t, "chain") {
		t.Run(v["name"], func(t *testing.T) {
			var records []audit.Record
			for name := range strings.FieldsSeq(v["records"]) {
				r, err := audit.ParseRecord(stored[name])
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				records = append(records, r)
			}
			var head *audit.Head
			if v["head"] != "none" {
				h, err := audit.ParseHead(stored[v["head"]])
				if err != nil {
					t.Fatalf("%s: %v", v["head"], err)
				}
				head = &h
			}
			report, err := audit.Verify(sequence(records), head, keys(v["keys"]))
			if err != nil {
				t.Fatal(err)
			}
			got := "intact"
			if report.Broken != nil {
				got = report.Broken.String()
			}
			if got != v["want"] {
				t.Errorf("got  %s\nwant %s", got, v["want"])
			}
			if report.Keyed != (v["keys"] != "none") {
				t.Errorf("keyed: %t", report.Keyed)
			}
			if report.Broken == nil && report.Rows != uint64(len(records)) {
				t.Errorf("%d rows of %d", report.Rows, len(records))
			}
		})
	}
}

// TestLinkVectors makes the vectors' first chain anew.
func TestLinkVectors(t *testing.T) {
	stored := map[string][]byte{}
	for _, v := range vectors(t, "stored") {
		stored[v["name"]] = v.bytes(t, "bytes")
	}
	head := audit.Begin(k1, "6f1c2b1e-0000-4000-8000-000000000001")
	for i := range 5 {
		want := stored[fmt.Sprintf("r%d", i+1)]
		old, err := audit.ParseRecord(want)
		if err != nil {
			t.Fatal(err)
		}
		e, err := old.Entry()
		if err != nil {
			t.Fatal(err)
		}
		var r audit.Record
		if r, head, err = audit.Link(k1, head, e); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Marshal(), want) {
			t.Errorf("record %d is\n%x, want\n%x", i+1, r.Marshal(), want)
		}
	}
	if want := stored["h1"]; !bytes.Equal(head.Marshal(), want) {
		t.Errorf("head is\n%x, want\n%x", head.Marshal(), want)
	}
}
