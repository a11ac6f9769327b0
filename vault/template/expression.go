package template

import (
	"bytes"
	"cmp"
	"strconv"
	"unicode/utf8"
)

// An expression has a result.
type expression interface {
	eval(value func(string) []byte) result
}

// A result is a text or a truth value.
type result struct {
	text    []byte
	yes     bool
	logical bool // it is yes
}

func truth(b bool) result { return result{yes: b, logical: true} }

// bytes returns what is printed of r.
func (r result) bytes() []byte {
	if r.logical {
		return strconv.AppendBool(nil, r.yes)
	}
	return r.text
}

// truth reports whether r holds: a text does unless it is empty, or the number
// zero.
func (r result) truth() bool {
	if r.logical {
		return r.yes
	}
	return len(r.text) > 0 && string(r.text) != "0"
}

// A name is a value to be looked up.
type name string

func (n name) eval(value func(string) []byte) result { return result{text: value(string(n))} }

// A literal is a text, number or truth value of the source.
type literal result

func (l literal) eval(func(string) []byte) result { return result(l) }

// A call applies a helper.
type call struct {
	helper helper
	args   []expression
}

func (c call) eval(value func(string) []byte) result {
	args := make([]result, len(c.args))
	for i, a := range c.args {
		args[i] = a.eval(value)
	}
	return c.helper.apply(args)
}

// A helper computes a result of others.
type helper struct {
	least, most int // how many arguments
	apply       func([]result) result
}

// manyArgs is more than a template needs.
const manyArgs = 16

var helpers = map[string]helper{
	"eq":  comparing(func(order int) bool { return order == 0 }),
	"ne":  comparing(func(order int) bool { return order != 0 }),
	"gt":  comparing(func(order int) bool { return order > 0 }),
	"gte": comparing(func(order int) bool { return order >= 0 }),
	"lt":  comparing(func(order int) bool { return order < 0 }),
	"lte": comparing(func(order int) bool { return order <= 0 }),
	"and": {2, manyArgs, func(args []result) result {
		for _, a := range args {
			if !a.truth() {
				return truth(false)
			}
		}
		return truth(true)
	}},
	"or": {2, manyArgs, func(args []result) result {
		for _, a := range args {
			if a.truth() {
				return truth(true)
			}
		}
		return truth(false)
	}},
	"not": {1, 1, func(args []result) result { return truth(!args[0].truth()) }},
	"len": {1, 1, func(args []result) result {
		return result{text: strconv.AppendInt(nil, int64(utf8.RuneCount(args[0].bytes())), 10)}
	}},
}

func comparing(holds func(order int) bool) helper {
	return helper{2, 2, func(args []result) result { return truth(holds(compare(args[0].bytes(), args[1].bytes()))) }}
}

// compare orders two texts: as numbers where both are, else byte by byte.
func compare(a, b []byte) int {
	x, errX := number(a)
	y, errY := number(b)
	if errX == nil && errY == nil && !bytes.Equal(a, b) {
		return cmp.Compare(x, y)
	}
	return bytes.Compare(a, b)
}

// number parses what looks like one. Anything longer is a text: the conversion
// makes a string of it, which nobody can wipe.
func number(b []byte) (float64, error) {
	if len(b) > 20 || !numeric(b) {
		return 0, strconv.ErrSyntax
	}
	return strconv.ParseFloat(string(b), 64)
}

// numeric reports whether b is an optional minus, digits, and at most one point
// between them.
func numeric(b []byte) bool {
	b = bytes.TrimPrefix(b, []byte("-"))
	whole, part, point := bytes.Cut(b, []byte("."))
	return digits(whole) && (!point || digits(part))
}

func digits(b []byte) bool {
	return len(b) > 0 && bytes.IndexFunc(b, func(r rune) bool { return r < '0' || r > '9' }) < 0
}
