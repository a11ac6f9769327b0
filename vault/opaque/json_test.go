package opaque_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/vault/opaque"
)

func TestUnmarshalJSON(t *testing.T) {
	for in, want := range map[string]string{
		`""`:             "",
		`"plain"`:        "plain",
		` "spaces" `:     "spaces",
		`"\"\\\/"`:       `"\/`,
		`"\b\f\n\r\t"`:   "\b\f\n\r\t",
		`"\u0000"`:       "\x00",
		`"\u00e9\u00E9"`: "éé",
		`"\u2028<>&"`:    "\u2028<>&",
		`"\ud83d\ude00"`: "😀",
		`"\uD83D\uDE00"`: "😀",
		`"\ufffd"`:       "\ufffd",
		"\"\ufffd\"":     "\ufffd",
		`"é😀"`:           "é😀",
		"\"\x7f\"":       "\x7f",
		"\"\u0080\"":     "\u0080",
	} {
		var b opaque.Bytes
		if err := json.Unmarshal([]byte(in), &b); err != nil {
			t.Errorf("%s: %v", in, err)
		} else if got := string(b.Reveal()); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

func TestUnmarshalJSONRefuses(t *testing.T) {
	for why, in := range map[string]string{
		"number":                      `17`,
		"boolean":                     `true`,
		"array":                       `["a"]`,
		"object":                      `{"a":"b"}`,
		"invalid UTF-8":               "\"a\xffb\"",
		"overlong UTF-8":              "\"\xc0\xaf\"",
		"UTF-8 of a surrogate":        "\"\xed\xa0\x80\"",
		"cut-off UTF-8":               "\"\xe2\x82\"",
		"high surrogate at the end":   `"\ud83d"`,
		"high surrogate, then text":   `"\ud83dabcdef"`,
		"high surrogate, then escape": `"\ud83d\n12345"`,
		"high surrogate twice":        `"\ud83d\ud83d"`,
		"high surrogate, then letter": `"\ud83d\u0041"`,
		"low surrogate":               `"\ude00"`,
		"surrogates swapped":          `"\ude00\ud83d"`,
	} {
		b := opaque.New([]byte("before"))
		err := json.Unmarshal([]byte(in), &b)
		if err == nil {
			t.Errorf("%s: accepted as %q", why, b.Reveal())
		}
		if got := string(b.Reveal()); got != "before" {
			t.Errorf("%s: refused, but the secret is now %q", why, got)
		}
	}
}

// TestUnmarshalJSONAlone calls the method without the decoder in front of it,
// which would have refused these.
func TestUnmarshalJSONAlone(t *testing.T) {
	for _, in := range []string{
		``, `"`, `x`, `x"`, `"x`, `"a"b"`, `"\"`, `"\x"`, `"\u"`, `"\u12"`, `"\u12g4"`, `"\u123"`, `"\ud83d\u"`, `"\ud83d\ude0"`,
		"\"\n\"", "\"\x00\"", ` "a"`, `"a" `, `nul`, `null `,
	} {
		var b opaque.Bytes
		if err := b.UnmarshalJSON([]byte(in)); err == nil {
			t.Errorf("%q: accepted as %q", in, b.Reveal())
		}
	}
}

func TestUnmarshalJSONNull(t *testing.T) {
	v := struct{ Set, Unset, Absent *opaque.Bytes }{Set: new(opaque.New([]byte("x")))}
	b := opaque.New([]byte("before"))
	if err := json.Unmarshal([]byte("null"), &b); err != nil || string(b.Reveal()) != "before" {
		t.Errorf("null: %q, %v", b.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`{"Set":null,"Unset":null}`), &v); err != nil || v.Set != nil || v.Unset != nil || v.Absent != nil {
		t.Errorf("null into pointers: %v, %v", v, err)
	}
}

func TestUnmarshalJSONError(t *testing.T) {
	bad := `{"Secret":"` + string(plain()) + `\ud800"}`
	var v struct{ Secret opaque.Bytes }
	err := json.Unmarshal([]byte(bad), &v)
	if err == nil {
		t.Fatal("accepted")
	}
	noLeak(t, "error", err.Error())
}

// TestUnmarshalJSONCopies sees to it that the secret is no part of the input,
// which the caller will wipe.
func TestUnmarshalJSONCopies(t *testing.T) {
	in := []byte(`"abc\n"`)
	var b opaque.Bytes
	if err := b.UnmarshalJSON(in); err != nil {
		t.Fatal(err)
	}
	clear(in)
	if got := string(b.Reveal()); got != "abc\n" {
		t.Errorf("got %q", got)
	}
}

// FuzzUnmarshalJSON holds the decoder against encoding/json: what it accepts
// it reads alike, and it refuses more only where encoding/json puts U+FFFD for
// what it cannot read.
func FuzzUnmarshalJSON(f *testing.F) {
	for _, s := range []string{
		`"plain"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9"`, `"\ud83d\ude00"`, `"\ud83d"`, `"\ude00\ud83d"`, `"\ud83d\u0041"`, `"\ufffd"`,
		"\"\xff\"", "\"\xe2\x82\"", "\"\xed\xa0\x80\"", `null`, `17`, `{"a":1}`, `[]`, ` "a" `, `"`, `"\u12`, "\"\x1f\"", `"a"b`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var b opaque.Bytes
		var s string
		ours, theirs := json.Unmarshal(in, &b), json.Unmarshal(in, &s)
		switch {
		case theirs != nil && ours == nil:
			t.Errorf("%q: accepted as %q, but %v", in, b.Reveal(), theirs)
		case theirs == nil && ours != nil && !strings.ContainsRune(s, '\ufffd'):
			t.Errorf("%q: refused, but reads %q", in, s)
		case theirs == nil && ours == nil && string(b.Reveal()) != s:
			t.Errorf("%q: reads %q, want %q", in, b.Reveal(), s)
		}
		var alone opaque.Bytes
		trimmed := bytes.TrimSpace(in)
		if err := alone.UnmarshalJSON(trimmed); err == nil && !json.Valid(trimmed) {
			t.Errorf("%q: accepted alone, but is not JSON", trimmed)
		}
	})
}
