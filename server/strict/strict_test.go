package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/server/api"
)

type inner struct {
	Project string `json:"project_name"`
}

type outer struct {
	ID      string    `json:"id"`
	Context inner     `json:"context"`
	TS      *int64    `json:"ts,omitempty"`
	Flag    bool      `json:"flag,omitempty"`
	Maybe   *bool     `json:"maybe,omitempty"`
	Text    string    `json:"text,omitempty"`
	Keys    *[]string `json:"keys,omitempty"`
	List    []string  `json:"list,omitempty"`
	Value   api.Value `json:"value,omitzero"`
}

// minimal is the least that outer accepts, to be extended by members.
func minimal(members string) string {
	return `{"id":"a","context":{"project_name":"p"}` + members + `}`
}

func TestAccepts(t *testing.T) {
	for _, text := range []string{
		minimal(``),
		" \t\r\n" + minimal(``) + " \n",
		minimal(`,"ts":12,"flag":true,"maybe":false,"text":"x","keys":["a","b"],"list":[]`),
		minimal(`,"ts":null,"maybe":null,"text":null,"keys":null,"list":null,"value":null`),
		minimal(`,"unknown":{"a":[1,2,{"b":null}]},"Unknown":null,"other":-1.5e3`),
		minimal(`,"value":"s\u00e9 \"quoted\" \\ \ud83d\ude00"`),
		minimal(`,"text":"\\u12"`), // an escaped backslash, not an escape
		minimal(`,"x":` + strings.Repeat("[", MaxDepth-1) + strings.Repeat("]", MaxDepth-1)),
		`{"\u0069d":"a","context":{"project_name":"p"}}`,
		`{"id":"a","context":{"project_name":"p","x":[null,{"y":[null]}]}}`,
	} {
		v, err := For[outer]().Decode([]byte(text))
		if err != nil || v.ID != "a" || v.Context.Project != "p" {
			t.Errorf("%s: %+v, %v", text, v, err)
		}
	}
}

func TestRefuses(t *testing.T) {
	for _, tc := range []struct{ text, member string }{
		{``, ""},
		{`  `, ""},
		{`null`, ""},
		{`[]`, ""},
		{`"id"`, ""},
		{`{`, ""},
		{minimal(``) + `{}`, ""},
		{minimal(``) + `x`, ""},
		{"\ufeff" + minimal(``), ""},
		{`{}`, "id"},
		{`{"id":"a"}`, "context"},
		{`{"id":"a","context":{}}`, "context.project_name"},
		{`{"id":null,"context":{"project_name":"p"}}`, "id"},
		{`{"id":"a","context":null}`, "context"},
		{`{"id":"a","context":[]}`, "context"},
		{`{"id":1,"context":{"project_name":"p"}}`, "id"},
		{`{"id":"a","context":{"project_name":["p"]}}`, "context.project_name"},
		{minimal(`,"id":"b"`), ""},
		{minimal(`,"\u0069d":"b"`), ""},
		{`{"Id":"a","context":{"project_name":"p"}}`, ""},
		{minimal(`,"ID":"b"`), ""},
		{minimal(`,"liſt":[]`), ""}, // package json folds the long s
		{`{"id":"a","context":{"Project_name":"p"}}`, "context"},
		{`{"id":"a","context":{"project_name":"p","project_name":"q"}}`, "context"},
		{minimal(`,"x":{"a":1,"a":2}`), ""},
		{minimal(`,"x":[{"a":1,"a":2}]`), ""},
		{minimal(`,"flag":null`), "flag"},
		{minimal(`,"flag":1`), "flag"},
		{minimal(`,"ts":1.5`), "ts"},
		{minimal(`,"ts":99999999999999999999`), "ts"},
		{minimal(`,"ts":"1"`), "ts"},
		{minimal(`,"keys":[1]`), "keys"},
		{minimal(`,"keys":[null]`), "keys"},
		{minimal(`,"keys":{"a":1}`), "keys"},
		{minimal(`,"text":"` + "\xff" + `"`), "text"},
		{minimal(`,"text":"\ud800"`), "text"},
		{minimal(`,"text":"\udc00\ud800"`), "text"},
		{minimal(`,"x":"\ud800"`), ""},
		{minimal(`,"\ud800":1`), ""},
		{minimal(`,"` + "\xff" + `":1`), ""},
		{minimal(`,"x":` + strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)), ""},
		{minimal(`,"x":` + strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth)), ""},
		{minimal(`,"value":5`), ""},
	} {
		v, err := For[outer]().Decode([]byte(tc.text))
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%s: %+v, %v", tc.text, v, err)
			continue
		}
		if e.Member != tc.member {
			t.Errorf("%s: complains about %q (%v), want %q", tc.text, e.Member, e, tc.member)
		}
	}
}

// Errors go to logs, and the text may be a secret in the wrong member.
func TestErrorsQuoteNoValues(t *testing.T) {
	for _, text := range []string{
		`{"id":73317331}`, `{"id":"a","context":{"project_name":73317331}}`, minimal(`,"ts":73317331.5`),
		minimal(`,"ts":"73317331"`), minimal(`,"flag":"73317331"`), minimal(`,"value":73317331`), `{"73317331":73317331 73317331`,
		minimal(`,"keys":[73317331]`), minimal(`,"list":"73317331"`), minimal(`,"73317331":1,"73317331":2`),
	} {
		_, err := For[outer]().Decode([]byte(text))
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "7331") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSecretsAreNotCopied(t *testing.T) {
	text := []byte(minimal(`,"value":"hush"`))
	v, err := For[outer]().Decode(text)
	if err != nil || string(v.Value.Reveal()) != "hush" {
		t.Fatalf("%v, %v", v.Value, err)
	}
	v.Value.Wipe()
	if !bytes.Contains(text, []byte("hush")) {
		t.Error("the value lies in the body, which has another owner")
	}
}

func TestNotAStruct(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a map was taken")
		}
	}()
	For[map[string]string]()
}

// FuzzDecode: what is accepted is valid, flat enough, and means the same to
// package json; and nothing unknown to it is lost or found.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{
		minimal(``), minimal(`,"value":"\ud83d\ude00"`), minimal(`,"x":[[[{}]]]`), `{"id":"a","id":"b"}`, `{"ID":1}`, `[]`, "\xff",
		minimal(`,"ts":1e3`), minimal(`,"text":"\\\""`), `{ "id" : "a" , "context" : { "project_name" : "p" } , "keys" : [ "a" , "b" ] }`,
	} {
		f.Add([]byte(s))
	}
	d := For[outer]()
	f.Fuzz(func(t *testing.T, text []byte) {
		given := bytes.Clone(text)
		v, err := d.Decode(text)
		if !bytes.Equal(given, text) {
			t.Fatal("the text was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("%T", err)
			}
			return
		}
		if !utf8.Valid(text) || !json.Valid(text) {
			t.Fatalf("%q is accepted", text)
		}
		written, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		again, err := d.Decode(written)
		if err != nil {
			t.Fatalf("%s became %s: %v", text, written, err)
		}
		rewritten, err := json.Marshal(again)
		if err != nil || !bytes.Equal(written, rewritten) {
			t.Fatalf("%s, then %s (%v)", written, rewritten, err)
		}
		same(t, text, v)
	})
}

// same compares v with what a reader of plain maps finds.
func same(t *testing.T, text []byte, v outer) {
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m["id"] != v.ID {
		t.Fatalf("%q: id %v and %v", text, m["id"], v.ID)
	}
	if ctx, _ := m["context"].(map[string]any); ctx["project_name"] != v.Context.Project {
		t.Fatalf("%q: project %v and %v", text, ctx, v.Context)
	}
	var keys []any
	if v.Keys != nil {
		keys = []any{}
		for _, k := range *v.Keys {
			keys = append(keys, k)
		}
	}
	if got, _ := m["keys"].([]any); !reflect.DeepEqual(got, keys) {
		t.Fatalf("%q: keys %v and %v", text, got, keys)
	}
}
