package jsontext_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/vault/jsontext"
)

func TestCheck(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"object":           {` {"a": [1, {"b": null}], "c": "\ud83d\ude00"} `, nil},
		"text":             {`"x"`, nil},
		"number":           {`-1e9`, nil},
		"empty":            {``, jsontext.ErrInvalid},
		"two":              {`{} {}`, jsontext.ErrInvalid},
		"comma":            {`[1,]`, jsontext.ErrInvalid},
		"half a pair":      {`"\ud83d"`, jsontext.ErrInvalid},
		"half, in a name":  {`{"\ude00":1}`, jsontext.ErrInvalid},
		"not UTF-8":        {"\"\xff\"", jsontext.ErrInvalid},
		"twice":            {`{"a":1,"a":2}`, jsontext.ErrDuplicate},
		"twice, escaped":   {`[{"a":1,"\u0061":2}]`, jsontext.ErrDuplicate},
		"the same, nested": {`{"a":{"a":{"a":1}}}`, nil},
		"deep":             {deep(jsontext.MaxDepth), nil},
		"too deep":         {deep(jsontext.MaxDepth + 1), jsontext.ErrDepth},
		"too deep objects": {strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), jsontext.ErrDepth},
	} {
		if err := jsontext.Check([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// The examples of RFC 6901, section 5, and what a program gets.
func TestFind(t *testing.T) {
	const text = `{"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, "k\"l": 6, " ": 7, "m~n": 8,
		"o": {"p": { "q" : [1, 2 ] }, "r": "\u00e9\n\"", "s": null, "01": "x", "0": "y"}}`
	for pointer, want := range map[string]string{
		"/foo": `["bar", "baz"]`, "/foo/0": "bar", "/": "0", "/a~1b": "1", "/c%d": "2", "/e^f": "3", "/g|h": "4",
		"/i\\j": "5", "/k\"l": "6", "/ ": "7", "/m~0n": "8",
		"/o/p": `{ "q" : [1, 2 ] }`, "/o/p/q/1": "2", "/o/r": "é\n\"", "/o/s": "null", "/o/01": "x", "/o/0": "y", "": text,
	} {
		p, err := jsontext.ParsePointer(pointer)
		if err != nil {
			t.Fatalf("%q: %v", pointer, err)
		}
		part, err := p.Find([]byte(text))
		if err != nil {
			t.Errorf("%q: %v", pointer, err)
			continue
		}
		if got, err := jsontext.Plain(part); err != nil || string(got) != want {
			t.Errorf("%q: %q, %v; want %q", pointer, got, err, want)
		}
	}
	for _, pointer := range []string{"/bar", "/foo/2", "/foo/-", "/foo/00", "/foo/ 1", "/foo/+1", "/foo/99999999999999999999", "/foo/0/0", "/o/p/q/x", "/O", "//"} {
		p, err := jsontext.ParsePointer(pointer)
		if err != nil {
			t.Fatalf("%q: %v", pointer, err)
		}
		if part, err := p.Find([]byte(text)); !errors.Is(err, jsontext.ErrNotFound) || part != nil {
			t.Errorf("%q: %q, %v", pointer, part, err)
		}
	}
	for _, pointer := range []string{"foo", "#/foo", "/~", "/~2", "/a~", "/~~1"} {
		if _, err := jsontext.ParsePointer(pointer); !errors.Is(err, jsontext.ErrPointer) {
			t.Errorf("%q: %v", pointer, err)
		}
	}
}

// What is found is a part of the text; what leaves is not.
func TestPlainCopies(t *testing.T) {
	text := []byte(`{"a":"hush","b":[1]}`)
	for _, token := range []string{"a", "b"} {
		part, err := jsontext.Pointer{token}.Find(text)
		if err != nil {
			t.Fatal(err)
		}
		before := string(part)
		plain, err := jsontext.Plain(part)
		if err != nil {
			t.Fatal(err)
		}
		clear(plain)
		if string(part) != before {
			t.Errorf("wiping the copy of %s changed the text", token)
		}
	}
}

// FuzzFind: a pointer finds what package encoding/json has there.
func FuzzFind(f *testing.F) {
	for _, text := range []string{`{"a":{"b":["x",1,true]}}`, `[[],{},"\u0000"]`, `{"":{"":1}}`, ` 1 `, `{"a~/b":"\ud83d\ude00"}`, `{"a":1,"a":2}`, `[1e999]`} {
		for _, pointer := range []string{"", "/a/b/0", "/0", "//", "/a~0~1b", "/2", "x"} {
			f.Add(text, pointer)
		}
	}
	f.Fuzz(func(t *testing.T, text, pointer string) {
		p, err := jsontext.ParsePointer(pointer)
		if err != nil {
			return
		}
		if p.String() != pointer {
			t.Fatalf("%q became %q", pointer, p)
		}
		before := []byte(text)
		if jsontext.Check(before) != nil {
			return
		}
		whole, err := decoded(before)
		if err != nil {
			t.Fatalf("%q passed: %v", text, err)
		}
		want, found := follow(whole, p)
		part, err := p.Find(before)
		if found != (err == nil) {
			t.Fatalf("%q in %q: %v, want found %v", pointer, text, err, found)
		}
		if string(before) != text {
			t.Fatal("the text was changed")
		}
		if err != nil {
			return
		}
		if got, err := decoded(part); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%q in %q: %q, %v", pointer, text, part, err)
		}
		plain, err := jsontext.Plain(part)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := want.(string); ok && string(plain) != s || !ok && !bytes.Equal(plain, part) {
			t.Fatalf("%q is delivered as %q", part, plain)
		}
		if !utf8.Valid(plain) && utf8.ValidString(text) {
			t.Fatalf("%q is not text", plain)
		}
	})
}

// decoded is what package encoding/json makes of a text. Numbers stay as they are
// written: not all of them are one of Go's.
func decoded(text []byte) (value any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&value)
	return value, err
}

// follow is the slow way.
func follow(value any, p jsontext.Pointer) (any, bool) {
	for _, token := range p {
		switch v := value.(type) {
		case map[string]any:
			next, ok := v[token]
			if !ok {
				return nil, false
			}
			value = next
		case []any:
			n, err := strconv.Atoi(token)
			if err != nil || n < 0 || n >= len(v) || strconv.Itoa(n) != token {
				return nil, false
			}
			value = v[n]
		default:
			return nil, false
		}
	}
	return value, true
}

// FuzzMembers: they are those of package encoding/json, in order.
func FuzzMembers(f *testing.F) {
	for _, text := range []string{`{"a":"b","c":{"d":[]},"e":1}`, `{}`, ` { "a" : "\n" } `, `[]`, `"{"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if jsontext.Check([]byte(text)) != nil {
			return
		}
		var want map[string]json.RawMessage
		err := json.Unmarshal([]byte(text), &want)
		if jsontext.IsObject([]byte(text)) != (err == nil && want != nil) {
			t.Fatalf("%q: %v", text, err)
		}
		n := 0
		for name, value := range jsontext.Members([]byte(text)) {
			if n++; string(want[name]) != string(value) {
				t.Fatalf("%q: %q is %q, want %q", text, name, value, want[name])
			}
		}
		if n != len(want) {
			t.Fatalf("%q: %d members, want %d", text, n, len(want))
		}
	})
}
