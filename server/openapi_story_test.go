package server_test

import (
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// A step is one line of a story: an operation, an example, and who asks.
type step struct {
	op        *operation
	name, who string
}

// story returns the steps of a story of x-stories.
func (d *description) story(t *testing.T, title string) (steps []step) {
	t.Helper()
	for _, line := range d.root["x-stories"].(object)[title].([]any) {
		text, who, _ := strings.Cut(line.(string), " as ")
		id, name, named := strings.Cut(text, " ")
		if !named {
			name = "usual"
		}
		op := d.operations[id]
		if op == nil {
			t.Fatalf("%s: %q: there is no such operation", title, line)
		}
		steps = append(steps, step{op, name, who})
	}
	return steps
}

func (s step) String() string { return s.op.id + " " + s.name }

// A player plays a story on a server.
type player struct {
	*description
	s *servertest.Server
	// live is what the server calls what has a name in the examples.
	live    map[string]string
	cast    cast
	streams []stream
}

func newPlayer(d *description, s *servertest.Server) *player {
	live := map[string]string{"https://vault.example.com:3000": s.URL, "192.0.2.7": "127.0.0.1"}
	return &player{description: d, s: s, live: live, cast: newCast(s)}
}

// play sends the request of a step, and compares the answer with the example. An
// operation that was never used is misused before.
func (p *player) play(t *testing.T, st step) {
	t.Helper()
	if !p.used[st.op.id] {
		p.used[st.op.id] = true
		p.misuse(t, st)
		p.confined(t, st)
	}
	status, want := p.expected(t, st)
	a := p.send(t, st)
	if a.Status != status {
		t.Fatalf("%s: %d %s, want %d", st, a.Status, a.Body, status)
	}
	p.played[st.String()] = true
	p.check(t, st.String(), st.op, a)
	p.compareAnswer(t, st, want, a)
	p.cast.remember(t, st, a)
}

func (p *player) send(t *testing.T, st step) servertest.Answer {
	t.Helper()
	r := p.request(t, st)
	if line, ok := p.streamOf(st.op); ok {
		return p.listen(t, r, line)
	}
	return p.s.Do(t, r)
}

// expected returns the answer that has an example of the step's name.
func (p *player) expected(t *testing.T, st step) (status int, want located) {
	t.Helper()
	for code, r := range p.responses(st.op) {
		if !p.hasExample(r, st.name) {
			continue
		}
		if status != 0 {
			t.Fatalf("%s: answers %d and %s both have an example", st, status, code)
		}
		status, want = number(code), r
	}
	if status == 0 {
		t.Fatalf("%s: no answer has an example of that name", st)
	}
	return status, want
}

// hasExample reports whether an answer has an example: of its body, or, if it has
// none, of a header.
func (p *player) hasExample(r located, name string) bool {
	if _, bodied := r.object["content"]; bodied {
		_, _, ok := p.answerExample(r, name)
		return ok
	}
	for _, h := range p.children(r.at, "headers") {
		if _, ok := h.example(name); ok {
			return true
		}
	}
	return false
}

// answerExample returns an example of an answer's body, and its media type.
func (p *player) answerExample(r located, name string) (value any, form string, ok bool) {
	for media, l := range p.children(r.at, "content") {
		if value, ok = l.example(name); ok {
			return value, media, true
		}
	}
	return nil, "", false
}
