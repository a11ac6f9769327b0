// Package jsontext finds and checks parts of a JSON text where they stand.
//
// A configuration is kept as the text somebody wrote, and what is delivered of
// it is that text or a piece of it. Package encoding/json would make copies of
// all of it on the way, which nobody could wipe. Here a part is a slice of the
// text itself, until [Plain] makes the one copy that leaves.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
)

// MaxDepth is how many arrays and objects may enclose one another.
const MaxDepth = 64

// What can be wrong with a text. No error quotes it.
var (
	// ErrInvalid: it is not JSON, or not Unicode.
	ErrInvalid = errors.New("not valid JSON")
	// ErrDuplicate: an object has two members of one name, of which a pointer
	// could not choose one.
	ErrDuplicate = errors.New("an object has two members of one name")
	// ErrDepth: it is nested too deep.
	ErrDepth = errors.New("nested too deep")
)

// Check reports whether text is one JSON value in which every pointer leads to
// one part or none: valid, of bounded depth, without two members of one name.
// It returns ErrInvalid, ErrDuplicate or ErrDepth.
func Check(text []byte) error {
	if !json.Valid(text) {
		return ErrInvalid
	}
	s := scanner{text}
	return check(s.value(), 0)
}

func check(value []byte, depth int) error {
	switch value[0] {
	case '"':
		text, err := unquote(value)
		clear(text)
		return err
	case '{':
		return checkObject(value, depth+1)
	case '[':
		if depth == MaxDepth {
			return ErrDepth
		}
		for _, element := range parts(value) {
			if err := check(element, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkObject(object []byte, depth int) error {
	if depth > MaxDepth {
		return ErrDepth
	}
	seen := map[string]bool{}
	for raw, value := range parts(object) {
		name, err := unquote(raw)
		if err != nil {
			return err
		}
		if seen[string(name)] {
			return ErrDuplicate
		}
		seen[string(name)] = true
		if err := check(value, depth); err != nil {
			return err
		}
	}
	return nil
}

// Members yields the members of an object, which Check accepted, in order: the
// name, decoded, and the value as it stands. It yields nothing for a text that
// is no object; see [IsObject].
func Members(text []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		if !IsObject(text) {
			return
		}
		for raw, value := range parts(trim(text)) {
			name, err := unquote(raw)
			if err != nil || !yield(string(name), value) {
				return
			}
		}
	}
}

// IsObject reports whether a text that Check accepted is an object.
func IsObject(text []byte) bool { return begins(text, '{') }

// IsArray reports whether a text that Check accepted is an array.
func IsArray(text []byte) bool { return begins(text, '[') }

// IsString reports whether a text that Check accepted is a string.
func IsString(text []byte) bool { return begins(text, '"') }

func begins(text []byte, c byte) bool {
	text = trim(text)
	return len(text) > 0 && text[0] == c
}

// Plain returns a copy of a part as a program wants it: what a string says, and
// the text of everything else. It returns ErrInvalid for a string that is not
// Unicode.
func Plain(value []byte) ([]byte, error) {
	if value = trim(value); IsString(value) {
		return unquote(value)
	}
	return bytes.Clone(value), nil
}

const space = " \t\r\n"

func trim(text []byte) []byte { return bytes.Trim(text, space) }
