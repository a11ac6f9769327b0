package api

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestValueNeverPrints(t *testing.T) {
	v := NewValue([]byte("sk-hush"))
	type unexported struct{ v Value }
	type exported struct{ V Value }
	var out strings.Builder
	for _, x := range []any{v, &v, unexported{v}, &unexported{v}, exported{v}, []Value{v}, map[string]Value{"a": v}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb, x)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("m", "x", x)
	}
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "x", slog.AnyValue(v))
	if s := out.String(); strings.Contains(s, "hush") || strings.Contains(s, fmt.Sprintf("%x", "hush")) {
		t.Errorf("printed: %s", s)
	}
	if text, err := v.MarshalText(); err != nil || string(text) != "[opaque]" {
		t.Errorf("MarshalText = %q, %v", text, err)
	}
	if err := gob.NewEncoder(&bytes.Buffer{}).Encode(exported{v}); err == nil {
		t.Error("gob took it")
	}
	if _, err := v.MarshalBinary(); err == nil {
		t.Error("MarshalBinary took it")
	}
}

func TestValueJSON(t *testing.T) {
	for _, text := range []string{"", "plain", "a\"b\\c", "\x00\x1f\n\r\t", "bücher </script>& \u2028 😀"} {
		b, err := json.Marshal(struct{ V Value }{NewValue([]byte(text))})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		var std struct{ V string }
		if err := json.Unmarshal(b, &std); err != nil || std.V != text {
			t.Errorf("std reads %q from %s: %v", std.V, b, err)
		}
		var back struct{ V Value }
		if err := json.Unmarshal(b, &back); err != nil || string(back.V.Reveal()) != text {
			t.Errorf("%q came back as %q: %v", text, back.V.Reveal(), err)
		}
	}
}

func TestValueRefuses(t *testing.T) {
	for _, in := range []string{`1`, `{}`, `["a"]`, `true`, `"\ud800"`, `"\udc00\ud800"`, `"\ud800x"`, `"\ud800\u0041"`, "\"\xff\""} {
		var v Value
		if err := json.Unmarshal([]byte(in), &v); err == nil {
			t.Errorf("%s was taken as %q", in, v.Reveal())
		}
	}
	if _, err := json.Marshal(NewValue([]byte{0xff})); err == nil {
		t.Error("bytes that are no text were written")
	}
}

func TestValueAbsent(t *testing.T) {
	var u UpdateSecret
	if err := json.Unmarshal([]byte(`{"value":null,"description":null}`), &u); err != nil || !u.Value.IsZero() {
		t.Errorf("null is not absent: %v", err)
	}
	if err := json.Unmarshal([]byte(`{"value":""}`), &u); err != nil || u.Value.IsZero() || u.Value.Len() != 0 {
		t.Errorf("the empty text is absent: %v", err)
	}
	b, err := json.Marshal(UpdateSecret{})
	if err != nil || string(b) != `{}` {
		t.Errorf("absent members are written: %s, %v", b, err)
	}
}

func TestValueWipe(t *testing.T) {
	b := []byte("hush")
	v := NewValue(b)
	v.Wipe()
	if string(b) != "\x00\x00\x00\x00" {
		t.Errorf("left %q", b)
	}
}

// FuzzValueJSON: what Value reads, package json reads the same; and what is
// written comes back.
func FuzzValueJSON(f *testing.F) {
	for _, s := range []string{`""`, `"a"`, `"\n\u00e9"`, `"\ud83d\ude00"`, `"\ud800"`, `null`, `"\/\b\f"`, `"\u12"`, "\"\xff\"", `"` + "\x01" + `"`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var v Value
		if err := v.UnmarshalJSON(in); err != nil || v.IsZero() {
			return
		}
		if !utf8.Valid(v.Reveal()) {
			t.Fatalf("%q became invalid text", in)
		}
		var std string
		if err := json.Unmarshal(in, &std); err != nil || std != string(v.Reveal()) {
			t.Fatalf("%q: Value %q, json %q (%v)", in, v.Reveal(), std, err)
		}
		out, err := v.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		var back Value
		if err := back.UnmarshalJSON(out); err != nil || !bytes.Equal(back.Reveal(), v.Reveal()) {
			t.Fatalf("%q came back as %q: %v", v.Reveal(), back.Reveal(), err)
		}
	})
}
