package template

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"unicode"
	"unicode/utf8"
)

// Parse reads a source, which must be UTF-8 and no longer than [MaxSize]. The
// error is a [*SyntaxError]. The template shares memory with source.
func Parse(source []byte) (*Template, error) {
	switch {
	case len(source) > MaxSize:
		return nil, &SyntaxError{1, fmt.Sprintf("the template is longer than %d bytes", MaxSize)}
	case !utf8.Valid(source):
		return nil, &SyntaxError{1, "the template is not UTF-8"}
	}
	pieces, err := scan(source)
	if err != nil {
		return nil, err
	}
	tidy(pieces)
	p := parser{pieces: pieces, names: map[string]bool{}}
	nodes, err := p.block(0)
	if err != nil {
		return nil, err
	}
	if len(p.pieces) > 0 {
		return nil, p.stray()
	}
	return &Template{nodes: nodes, names: slices.Sorted(maps.Keys(p.names))}, nil
}

// A parser makes nodes of pieces.
type parser struct {
	pieces []piece
	names  map[string]bool
}

// stray is about the next piece, which has no business where it is.
func (p *parser) stray() error {
	what := "{{else}} without a block"
	if p.pieces[0].kind == kindClose {
		what = "a block is closed that was not opened"
	}
	return &SyntaxError{p.pieces[0].line, what}
}

// block takes pieces up to the end, or to an else or closing tag, which stays.
func (p *parser) block(depth int) (nodes []node, err error) {
	for len(p.pieces) > 0 {
		next := p.pieces[0]
		var n node
		switch next.kind {
		case kindElse, kindClose:
			return nodes, nil
		case kindText:
			n = text(next.body)
		case kindOutput:
			var of expression
			if of, err = p.expression(next); err == nil {
				n = output{of}
			}
		case kindOpen:
			if n, err = p.choice(depth + 1); err != nil {
				return nil, err
			}
			nodes = append(nodes, n)
			continue
		}
		if err != nil {
			return nil, err
		}
		p.pieces = p.pieces[1:]
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes, nil
}

// choice takes a block from its opening to its closing tag.
func (p *parser) choice(depth int) (choice, error) {
	open := p.pieces[0]
	if depth > maxDepth {
		return nil, &SyntaxError{open.line, "blocks nest too deep"}
	}
	word, rest := cutWord(open.body)
	if word != "if" && word != "unless" {
		return nil, &SyntaxError{open.line, "only {{#if}} and {{#unless}} make blocks"}
	}
	var c choice
	b, err := p.branch(open, rest, word == "unless", depth)
	for ; err == nil; b, err = p.otherwise(depth) {
		c = append(c, b)
		switch {
		case len(p.pieces) == 0:
			return nil, &SyntaxError{open.line, "{{#" + word + "}} is not closed"}
		case p.pieces[0].kind == kindClose:
			if string(p.pieces[0].body) != word {
				return nil, &SyntaxError{p.pieces[0].line, "{{/" + word + "}} is missing"}
			}
			p.pieces = p.pieces[1:]
			return c, nil
		case b.when == nil:
			return nil, &SyntaxError{p.pieces[0].line, "nothing can follow {{else}}"}
		}
	}
	return nil, err
}

// otherwise takes an else tag and its branch.
func (p *parser) otherwise(depth int) (branch, error) {
	tag := p.pieces[0]
	if len(tag.body) == 0 {
		return p.branch(tag, nil, false, depth)
	}
	word, rest := cutWord(tag.body)
	if word != "if" {
		return branch{}, &SyntaxError{tag.line, "only {{else}} and {{else if}} are known"}
	}
	return p.branch(tag, rest, false, depth)
}

// branch takes a tag and what follows it. An else has no condition.
func (p *parser) branch(tag piece, condition []byte, negate bool, depth int) (b branch, err error) {
	b.negate = negate
	if tag.kind == kindOpen || condition != nil {
		tag.body = condition
		if b.when, err = p.expression(tag); err != nil {
			return b, err
		}
	}
	p.pieces = p.pieces[1:]
	b.then, err = p.block(depth)
	return b, err
}

// cutWord splits a tag's body after its first word. What follows is not nil.
func cutWord(body []byte) (word string, rest []byte) {
	n := bytes.IndexFunc(body, unicode.IsSpace)
	if n < 0 {
		n = len(body)
	}
	return string(body[:min(n, maxName)]), append([]byte{}, bytes.TrimSpace(body[n:])...)
}

// expression reads the whole of a tag: one name or literal, or a helper with
// its arguments.
func (p *parser) expression(tag piece) (expression, error) {
	t := tokens{rest: tag.body, line: tag.line, names: p.names}
	e, err := t.application(0)
	if err == nil && len(t.rest) > 0 {
		err = t.fail("there is something behind the expression")
	}
	return e, err
}

// tokens reads one expression.
type tokens struct {
	rest  []byte
	line  int
	names map[string]bool
}

func (t *tokens) fail(reason string) error { return &SyntaxError{t.line, reason} }

func (t *tokens) space() { t.rest = bytes.TrimLeftFunc(t.rest, unicode.IsSpace) }

// application reads a value, or a helper and its arguments, up to the end or a
// closing parenthesis.
func (t *tokens) application(depth int) (expression, error) {
	if depth > maxDepth {
		return nil, t.fail("expressions nest too deep")
	}
	t.space()
	before := t.rest
	word, bracketed, err := t.word()
	if err != nil || bracketed {
		return t.named(word, err)
	}
	h, known := helpers[word]
	t.space()
	if !known || t.ended() {
		if !known && !t.ended() && word != "" {
			return nil, t.fail("no helper is called " + word)
		}
		t.rest = before
		return t.value(depth)
	}
	var c call
	for c.helper = h; !t.ended(); t.space() {
		arg, err := t.value(depth)
		if err != nil {
			return nil, err
		}
		if c.args = append(c.args, arg); len(c.args) > manyArgs {
			return nil, t.fail("a helper has too many arguments")
		}
	}
	if len(c.args) < h.least || len(c.args) > h.most {
		return nil, t.fail(word + " has the wrong number of arguments")
	}
	return c, nil
}

func (t *tokens) ended() bool { return len(t.rest) == 0 || t.rest[0] == ')' }

// value reads a name, a literal, or an application in parentheses.
func (t *tokens) value(depth int) (expression, error) {
	t.space()
	if t.ended() {
		return nil, t.fail("an expression is missing")
	}
	switch t.rest[0] {
	case '(':
		t.rest = t.rest[1:]
		e, err := t.application(depth + 1)
		if err != nil {
			return nil, err
		}
		if len(t.rest) == 0 {
			return nil, t.fail("a parenthesis is not closed")
		}
		t.rest = t.rest[1:]
		return e, nil
	case '"', '\'':
		quote := t.rest[:1]
		s, rest, ok := bytes.Cut(t.rest[1:], quote)
		if !ok {
			return nil, t.fail("a quoted text is not closed")
		}
		t.rest = rest
		return literal{text: s}, nil
	}
	word, bracketed, err := t.word()
	switch {
	case err == nil && !bracketed && (word == "true" || word == "false"):
		return literal(truth(word == "true")), nil
	case err == nil && !bracketed && numeric([]byte(word)):
		return literal{text: []byte(word)}, nil
	}
	return t.named(word, err)
}

// named makes an expression of a name that was read.
func (t *tokens) named(word string, err error) (expression, error) {
	switch {
	case err != nil:
		return nil, err
	case word == "":
		return nil, t.fail("a name is missing")
	case word == "this" || word == "." || word[0] == '@' || bytes.HasPrefix([]byte(word), []byte("..")):
		return nil, t.fail("there is no " + word + " here")
	}
	t.names[word] = true
	return name(word), nil
}

// word reads a name: letters and most signs, with any text in brackets being
// part of it. It may be empty.
func (t *tokens) word() (word string, bracketed bool, err error) {
	var b []byte
	for len(t.rest) > 0 && len(b) <= maxName {
		c := t.rest[0]
		switch {
		case c == '[':
			inside, rest, ok := bytes.Cut(t.rest[1:], []byte("]"))
			if !ok {
				return "", false, t.fail("a bracket is not closed")
			}
			b, t.rest, bracketed = append(b, inside...), rest, true
		case c <= ' ' || c == 0x7f || bytes.IndexByte([]byte("!\"#%&'()*+,;<=>\\]^`{|}~"), c) >= 0:
			return t.checked(b, bracketed)
		default:
			b, t.rest = append(b, c), t.rest[1:]
		}
	}
	return t.checked(b, bracketed)
}

func (t *tokens) checked(b []byte, bracketed bool) (string, bool, error) {
	switch {
	case len(b) > maxName:
		return "", false, t.fail("a name is too long")
	case len(b) == 0 && len(t.rest) > 0 && t.rest[0] != ')' && t.rest[0] != '(' && t.rest[0] != '"' && t.rest[0] != '\'':
		return "", false, t.fail("a character cannot stand in a name")
	case bytes.ContainsFunc(b, unicode.IsControl):
		return "", false, t.fail("a name has control characters")
	}
	return string(b), bracketed, nil
}
