package template

import "bytes"

// A kind is what sort of piece a source is cut into.
type kind int

const (
	kindText    kind = iota // body is the text
	kindOutput              // {{body}}
	kindOpen                // {{#body}}
	kindElse                // {{else body}} or {{^}}
	kindClose               // {{/body}}
	kindComment             // body is empty
)

// A piece is a tag, or the text before one.
type piece struct {
	kind kind
	body []byte
	line int
	// trimLeft and trimRight: the tag takes white space away, with ~.
	trimLeft, trimRight bool
}

// alone reports whether tags of that kind vanish with their line.
func (p piece) alone() bool { return p.kind != kindText && p.kind != kindOutput }

// A scanner cuts a source into pieces.
type scanner struct {
	rest   []byte
	line   int
	pieces []piece
}

func scan(source []byte) ([]piece, error) {
	s := scanner{rest: source, line: 1}
	for len(s.rest) > 0 {
		if err := s.next(); err != nil {
			return nil, err
		}
		if len(s.pieces) > 2*maxTags {
			return nil, &SyntaxError{s.line, "there are too many tags"}
		}
	}
	return s.pieces, nil
}

// take returns the next n bytes and moves on.
func (s *scanner) take(n int) []byte {
	b := s.rest[:n:n]
	s.rest = s.rest[n:]
	s.line += bytes.Count(b, []byte("\n"))
	return b
}

// text adds the next n bytes as text, if there are any.
func (s *scanner) text(n int) {
	if line := s.line; n > 0 {
		s.pieces = append(s.pieces, piece{kind: kindText, body: s.take(n), line: line})
	}
}

// next adds the text before the next tag, and the tag.
func (s *scanner) next() error {
	at := bytes.Index(s.rest, []byte("{{"))
	if at < 0 {
		s.text(len(s.rest))
		return nil
	}
	if at > 0 && s.rest[at-1] == '\\' {
		s.escaped(at)
		return nil
	}
	s.text(at)
	if bytes.HasPrefix(s.rest, []byte("{{{{")) {
		return s.raw()
	}
	return s.tag()
}

// escaped takes a backslash before a tag: one makes the braces text; two are one
// backslash, and the tag is a tag.
func (s *scanner) escaped(at int) {
	if at > 1 && s.rest[at-2] == '\\' {
		s.text(at - 1)
		s.take(1)
		return
	}
	s.text(at - 1)
	s.take(1)
	s.text(2)
}

// raw takes a block in which nothing is special.
func (s *scanner) raw() error {
	const open, end = "{{{{raw}}}}", "{{{{/raw}}}}"
	if !bytes.HasPrefix(s.rest, []byte(open)) {
		return &SyntaxError{s.line, "four braces must be {{{{raw}}}}"}
	}
	n := bytes.Index(s.rest, []byte(end))
	if n < 0 {
		return &SyntaxError{s.line, "{{{{raw}}}} has no {{{{/raw}}}}"}
	}
	s.take(len(open))
	s.text(n - len(open))
	s.take(len(end))
	return nil
}

// tag takes one tag.
func (s *scanner) tag() error {
	p := piece{line: s.line}
	s.take(len("{{"))
	if p.trimLeft = bytes.HasPrefix(s.rest, []byte("~")); p.trimLeft {
		s.take(1)
	}
	ends, triple := []string{"}}"}, false
	switch {
	case bytes.HasPrefix(s.rest, []byte("{")):
		s.take(1)
		ends, triple = []string{"}}}", "}~}}"}, true
	case bytes.HasPrefix(s.rest, []byte("!--")):
		ends = []string{"--}}", "--~}}"}
	}
	n, end := first(s.rest, ends)
	if n < 0 {
		return &SyntaxError{p.line, "a tag is not closed"}
	}
	body := s.take(n)
	s.take(len(end))
	if b, ok := bytes.CutSuffix(body, []byte("~")); ok && !triple {
		body, p.trimRight = b, true
	}
	p.trimRight = p.trimRight || bytes.IndexByte([]byte(end), '~') >= 0
	p.kind, p.body = kindOutput, bytes.TrimSpace(body)
	if !triple {
		if err := p.classify(); err != nil {
			return err
		}
	}
	s.pieces = append(s.pieces, p)
	return nil
}

// first finds which of ends comes first, -1 if none does.
func first(b []byte, ends []string) (at int, end string) {
	at = -1
	for _, e := range ends {
		if n := bytes.Index(b, []byte(e)); n >= 0 && (at < 0 || n < at) {
			at, end = n, e
		}
	}
	return at, end
}

// classify says what sort of tag p is by what its body begins with.
func (p *piece) classify() error {
	if len(p.body) == 0 {
		return nil // for the parser to refuse
	}
	rest := bytes.TrimSpace(p.body[1:])
	switch p.body[0] {
	case '!':
		p.kind, p.body = kindComment, nil
	case '&':
		p.body = rest
	case '#':
		p.kind, p.body = kindOpen, rest
	case '/':
		p.kind, p.body = kindClose, rest
	case '^':
		if len(rest) > 0 {
			return &SyntaxError{p.line, "write {{#unless}} for an inverted block"}
		}
		p.kind, p.body = kindElse, nil
	case '>':
		return &SyntaxError{p.line, "partials are not supported"}
	default:
		if word, ok := bytes.CutPrefix(p.body, []byte("else")); ok && (len(word) == 0 || blank(word[0])) {
			p.kind, p.body = kindElse, bytes.TrimSpace(word)
		}
	}
	return nil
}

func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// tidy takes away the white space that tags take away: that beside a ~, and the
// whole line of a block tag or comment that is alone on it.
func tidy(pieces []piece) {
	var cut []int // found first: two tags may look at the same line's end
	for i, p := range pieces {
		if p.alone() && aloneBefore(pieces, i) && aloneAfter(pieces, i) {
			cut = append(cut, i)
		}
	}
	for _, i := range cut {
		cutLine(pieces, i)
	}
	for i, p := range pieces {
		if p.trimLeft && i > 0 && pieces[i-1].kind == kindText {
			pieces[i-1].body = bytes.TrimRight(pieces[i-1].body, blanks+"\r\n")
		}
		if p.trimRight && i+1 < len(pieces) && pieces[i+1].kind == kindText {
			pieces[i+1].body = bytes.TrimLeft(pieces[i+1].body, blanks+"\r\n")
		}
	}
}

// blanks are what may stand beside a tag that is alone on its line.
const blanks = " \t"

// aloneBefore reports whether nothing but blanks is before piece i on its line.
func aloneBefore(pieces []piece, i int) bool {
	if i == 0 {
		return true
	}
	before := pieces[i-1]
	if before.kind != kindText {
		return false
	}
	line := bytes.LastIndexByte(before.body, '\n') + 1
	return len(bytes.TrimLeft(before.body[line:], blanks)) == 0 && (line > 0 || i == 1)
}

// aloneAfter reports whether nothing but blanks is behind piece i on its line.
func aloneAfter(pieces []piece, i int) bool {
	if i+1 == len(pieces) {
		return true
	}
	after := pieces[i+1]
	if after.kind != kindText {
		return false
	}
	line := bytes.IndexByte(after.body, '\n')
	if line < 0 {
		return i+2 == len(pieces) && len(bytes.TrimLeft(after.body, blanks)) == 0
	}
	return len(bytes.TrimLeft(after.body[:line], blanks+"\r")) == 0
}

// cutLine takes away what is left of the line of piece i.
func cutLine(pieces []piece, i int) {
	if i > 0 {
		before := &pieces[i-1]
		before.body = bytes.TrimRight(before.body, blanks)
	}
	if i+1 < len(pieces) {
		after := &pieces[i+1]
		_, after.body, _ = bytes.Cut(after.body, []byte("\n"))
	}
}
