// Package template renders texts with names in them, such as a program's
// configuration file with the passwords left out.
//
// The syntax is that of Handlebars, less what makes no sense for a flat list of
// texts:
//
//	{{name}} {{{name}}} {{&name}}      the value, as it is: nothing is escaped
//	{{[any text]}}                     a name with other characters in it
//	{{#if x}} … {{else if y}} … {{else}} … {{/if}}
//	{{#unless x}} … {{/unless}}
//	{{eq a "b"}} {{#if (and x (not y))}}    eq ne gt gte lt lte and or not len
//	{{! comment }} {{!-- comment --}}
//	{{~name~}}                         takes the white space beside it away
//	{{{{raw}}}} … {{{{/raw}}}}         text in which nothing is special
//	\{{                                the two braces themselves
//
// A block tag or comment that stands alone on its line leaves no empty line.
// Partials, loops, data variables and other helpers are refused when the
// template is parsed. So is a name's meaning decided before anything is
// rendered: [Template.Names] has every name there is, in branches that are not
// taken too, and who renders has to know them all.
//
// Texts and values stay byte slices and are never strings, so that they can be
// wiped; errors give a line number and the name, never the text around it.
package template

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cortex-auth/cortex/vault/opaque"
)

// Limits of a template.
const (
	// MaxSize is the longest source, in bytes.
	MaxSize = 1 << 20
	// MaxOutput is the longest result, in bytes.
	MaxOutput = 4 << 20
	// maxTags and maxDepth bound what is kept of a source, and how deep blocks
	// and expressions nest.
	maxTags  = 10_000
	maxDepth = 32
	maxName  = 600
)

// ErrTooLong says that the result would be longer than [MaxOutput].
var ErrTooLong = errors.New("the result is too long")

// A SyntaxError says where a source is not a template.
type SyntaxError struct {
	// Line counts from 1.
	Line int
	// Reason completes "line N: …".
	Reason string
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// A Template is a parsed source, which it shares memory with. It is safe for
// concurrent use.
type Template struct {
	nodes []node
	names []string
}

// Names returns every name that the template uses, each once, sorted.
func (t *Template) Names() []string { return slices.Clone(t.names) }

// Render returns the text with the values in the places of their names. It asks
// value for names of [Template.Names] only, some of them more than once, and
// keeps nothing of what it gets. The caller wipes the result.
func (t *Template) Render(value func(name string) []byte) (opaque.Bytes, error) {
	size := 0
	measure := func(b []byte) bool {
		size += len(b)
		return size <= MaxOutput
	}
	if !render(t.nodes, value, measure) {
		return opaque.Bytes{}, ErrTooLong
	}
	// Measured first, because a slice that grows leaves copies behind.
	out := make([]byte, 0, size)
	render(t.nodes, value, func(b []byte) bool {
		out = append(out, b...)
		return true
	})
	return opaque.New(out), nil
}

// render calls emit with each piece of the result until it returns false.
func render(nodes []node, value func(string) []byte, emit func([]byte) bool) bool {
	for _, n := range nodes {
		switch n := n.(type) {
		case text:
			if !emit(n) {
				return false
			}
		case output:
			if !emit(n.of.eval(value).bytes()) {
				return false
			}
		case choice:
			if !render(n.pick(value), value, emit) {
				return false
			}
		}
	}
	return true
}

// A node is a text, an output or a choice.
type node any

// A text stands for itself.
type text []byte

// An output stands for the value of an expression.
type output struct{ of expression }

// A choice stands for the first of its branches whose condition holds.
type choice []branch

type branch struct {
	negate bool       // unless
	when   expression // nil: always
	then   []node
}

func (c choice) pick(value func(string) []byte) []node {
	for _, b := range c {
		if b.when == nil || b.when.eval(value).truth() != b.negate {
			return b.then
		}
	}
	return nil
}
