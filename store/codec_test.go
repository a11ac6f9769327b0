package store

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// A sample has a field of every kind that rows use.
type sample struct {
	Text   string            `cbor:"1,keyasint"`
	Bytes  []byte            `cbor:"2,keyasint"`
	Number int64             `cbor:"3,keyasint"`
	Count  uint32            `cbor:"4,keyasint"`
	Yes    bool              `cbor:"5,keyasint"`
	Maybe  *string           `cbor:"6,keyasint,omitempty"`
	List   []string          `cbor:"7,keyasint,omitempty"`
	Table  map[string]string `cbor:"8,keyasint,omitempty"`
	Sum    [4]byte           `cbor:"9,keyasint"`
	When   time.Time         `cbor:"10,keyasint"`
	Inner  []inner           `cbor:"11,keyasint,omitempty"`
}

type inner struct {
	A string  `cbor:"1,keyasint"`
	B float64 `cbor:"2,keyasint"`
}

var whole = sample{
	Text: "text", Bytes: []byte{1, 2}, Number: -5, Count: 7, Yes: true, Maybe: new("maybe"),
	List: []string{"a", "b"}, Table: map[string]string{"b": "2", "a": "1"}, Sum: [4]byte{1, 2, 3, 4},
	When: time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC), Inner: []inner{{"x", 1.5}},
}

func TestCodec(t *testing.T) {
	for _, want := range []sample{whole, {}} {
		value, err := encode(want, 32)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(value[:32], make([]byte, 32)) {
			t.Error("the room is not empty")
		}
		got, err := decode[sample](value[32:])
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v", got, err)
		}
	}
	// The same row is the same bytes, whatever order a map comes in.
	first, _ := encode(whole, 0)
	for range 20 {
		if again, _ := encode(whole, 0); !bytes.Equal(first, again) {
			t.Fatal("two encodings of one row")
		}
	}
}

func TestDecodeIsStrict(t *testing.T) {
	row := func(pairs ...any) []byte {
		var b []byte
		for _, p := range pairs {
			e, err := cbor.Marshal(p)
			if err != nil {
				t.Fatal(err)
			}
			b = append(b, e...)
		}
		return append([]byte{0xa0 + byte(len(pairs)/2)}, b...)
	}
	if _, err := decode[inner](row(1, "a", 2, 1.5)); err != nil {
		t.Fatal(err)
	}
	deep := append(bytes.Repeat([]byte{0x81}, 40), 0)
	for name, body := range map[string][]byte{
		"nothing":           nil,
		"null":              {0xf6},
		"undefined":         {0xf7},
		"array":             {0x82, 0x61, 'a', 0x00},
		"unknown field":     row(1, "a", 3, 0),
		"field by name":     row(1, "a", "B", 1.5),
		"duplicate field":   row(1, "a", 1, "b"),
		"wrong type":        row(1, 5),
		"bytes for text":    row(1, []byte("a")),
		"trailing byte":     append(row(1, "a"), 0),
		"cut":               row(1, "a", 2, 1.5)[:6],
		"indefinite length": {0xbf, 0x01, 0x61, 'a', 0xff},
		"tagged":            append([]byte{0xc1}, row(1, "a")...),
		"too deep":          append([]byte{0xa1, 0x01}, deep...),
		"huge array":        {0xa1, 0x01, 0x9a, 0x7f, 0xff, 0xff, 0xff},
	} {
		if got, err := decode[inner](body); err == nil || got != (inner{}) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What could not be read back is not written.
func TestEncodeLimits(t *testing.T) {
	for name, s := range map[string]sample{
		"long":       {Text: strings.Repeat("x", maxRow)},
		"many items": {List: make([]string, 1<<17+1)},
	} {
		if _, err := encode(s, 0); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	type nested struct{ In any }
	deep := nested{}
	for range 20 {
		deep = nested{deep}
	}
	if _, err := encode(deep, 0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("deep: %v", err)
	}
}

// Law: what decodes has one encoding, which decodes to the same row.
func FuzzRow(f *testing.F) {
	for _, s := range []sample{whole, {}} {
		b, err := encode(s, 0)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xa0})
	f.Add([]byte{0xa1, 0x01, 0xf6})
	f.Add([]byte{0xa1, 0x0a, 0x61, 'x'})
	f.Fuzz(func(t *testing.T, body []byte) {
		row, err := decode[sample](body)
		if err != nil {
			return
		}
		once, err := encode(row, 0)
		if err != nil {
			t.Fatalf("decoded, but does not encode: %v", err)
		}
		again, err := decode[sample](once)
		if err != nil {
			t.Fatalf("does not decode again: %v", err)
		}
		if twice, err := encode(again, 0); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%x became %x, %v", once, twice, err)
		}
	})
}

// Law: an index entry leads back to its two keys, and no other bytes lead
// anywhere.
func FuzzMultiEntry(f *testing.F) {
	f.Add("", "", "")
	f.Add("a", "b", "a\x00b\x00\x01")
	f.Add("a\x00b", "c", "a\x00b\x00c\x00\x03")
	f.Add("\x00", "\x00\x00", "\x00\x00\x00")
	f.Fuzz(func(t *testing.T, at, row, entry string) {
		if len(row) <= maxKey {
			e, _ := multiEntry(Key(at), Key(row))
			if a, r, ok := splitMulti(string(e)); !ok || a != Key(at) || r != Key(row) {
				t.Errorf("%q, %q became %q, %q", at, row, a, r)
			}
		}
		if a, r, ok := splitMulti(entry); ok {
			if e, _ := multiEntry(a, r); string(e) != entry {
				t.Errorf("%q is %q", entry, e)
			}
		}
	})
}
