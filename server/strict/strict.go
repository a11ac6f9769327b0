// Package strict decodes JSON that a stranger sent.
//
// Package encoding/json is generous: it takes the last of two members with one
// name, matches names in any case, replaces text that is not Unicode, and
// leaves a member alone that is null. Two programs that read such a text can
// come to different conclusions, and one of them may be the one that checked
// it. A [Decoder] refuses all that, besides what is nested too deep or is
// followed by something else. Members that the type does not know are ignored,
// so that newer clients can talk to older servers.
//
// The type says the rest. A member without omitempty or omitzero that is not a
// pointer is required; every other member may be absent, and may be null
// unless it is a bool.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
)

// MaxDepth is how many arrays and objects may enclose one another.
const MaxDepth = 32

// An Error says what is wrong with a text. It is written for whoever sent it
// and quotes none of it but names of members.
type Error struct {
	// Member is the path of the member, such as "context.project_name"; empty
	// when the text as a whole is wrong.
	Member string
	// Reason says what is wrong, such as "is missing".
	Reason string
}

func (e *Error) Error() string {
	if e.Member == "" {
		return "the body " + e.Reason
	}
	return e.Member + " " + e.Reason
}

// A Decoder reads texts into the struct type T.
type Decoder[T any] struct{ shape *shape }

// For returns the Decoder for T, which must be a struct.
func For[T any]() Decoder[T] {
	t := reflect.TypeFor[T]()
	if t.Kind() != reflect.Struct {
		panic("strict: not a struct: " + t.String())
	}
	return Decoder[T]{shapeOf(t)}
}

// Decode reads one object. Any error is an *[Error].
//
// Members that keep secrets from Go strings by an UnmarshalJSON of their own
// get the bytes of text itself, and no other copy of them is made.
func (d Decoder[T]) Decode(text []byte) (T, error) {
	var v T
	if err := check(text, d.shape); err != nil {
		return v, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		var none T
		return none, explain(err)
	}
	return v, nil
}

// explain turns an error of package json into one that quotes no value.
func explain(err error) *Error {
	if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
		return &Error{Member: e.Field, Reason: "has the wrong type: want " + want(e.Type)}
	}
	return &Error{Reason: "has a member with a value that is not allowed there"}
}

// want names the JSON type that a Go type is written as.
func want(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Pointer:
		return want(t.Elem())
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "an integer"
	case reflect.Slice:
		return "an array"
	}
	return "an object"
}

// check finds what package json would let through.
func check(text []byte, s *shape) error {
	switch {
	case len(bytes.TrimSpace(text)) == 0:
		return &Error{Reason: "is empty: want a JSON object"}
	case !json.Valid(text):
		return &Error{Reason: "is not valid JSON"}
	}
	w := walker{rest: text}
	w.space()
	if w.rest[0] != '{' {
		return &Error{Reason: "is not a JSON object"}
	}
	return w.value(s, "", 0)
}

// join extends the path of a member.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func wrong(path, format string, args ...any) error {
	return &Error{Member: path, Reason: fmt.Sprintf(format, args...)}
}
