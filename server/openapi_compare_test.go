package server_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// made are the texts that the server makes, and never twice: ids, tokens, keys,
// codes, hashes and times.
var made = regexp.MustCompile(`^("?[0-9a-f-]{32,}"?|[A-Za-z0-9+/_-]{40,}=*|eyJ[\w.-]+|[A-Z0-9]{4}-[A-Z0-9]{4}|[A-Z2-7]{26}|(ssh-ed25519 |SHA256:)[A-Za-z0-9+/]+( deploy_key| git_key)?|\d{4}-\d\d-\d\d[ T][\d:]+Z?|-----BEGIN [\w\W]*|cortex/audit/head/[\w\W]*|1,[0-9a-f-]{36},[\w,-]+)$`)

// aTime are those of them that many things have.
var aTime = regexp.MustCompile(`^\d{4}-\d\d-\d\d `)

// compareAnswer compares an answer with the example of a step.
func (p *player) compareAnswer(t *testing.T, st step, want located, a servertest.Answer) {
	t.Helper()
	for name, h := range p.children(want.at, "headers") {
		if example, ok := h.example(st.name); ok {
			p.compare(t, st.String()+": header "+name, example, a.Header.Get(name))
		}
	}
	example, media, _ := p.answerExample(want, st.name)
	if strings.Contains(media, "json") {
		p.compareList(t, st.String(), example, parse(t, a.Body))
	} else if text, _ := example.(string); !strings.Contains(string(a.Body), p.translate(text)) {
		t.Errorf("%s: %.200s, want %s", st, a.Body, text)
	}
}

// compareList compares an answer with its example. A list of rows may go on
// where the example ends.
func (p *player) compareList(t *testing.T, what string, example, got any) {
	t.Helper()
	rows, isList := example.([]any)
	all, _ := got.([]any)
	if isList && len(rows) < len(all) {
		got = all[:len(rows)]
	}
	p.compare(t, what, example, got)
}

// compare fails unless an answer is what an example says: the same members, as
// many rows, the same texts. What the server made may differ, and is learnt. How
// many there are of something depends on all that came before, and is not
// compared.
func (p *player) compare(t *testing.T, what string, example, got any) {
	t.Helper()
	switch want := example.(type) {
	case object:
		has, _ := got.(object)
		if !slices.Equal(sortedKeys(want), sortedKeys(has)) {
			t.Errorf("%s: members %v, want %v", what, sortedKeys(has), sortedKeys(want))
		}
		for _, name := range sortedKeys(want) {
			p.compare(t, what+"."+name, want[name], has[name])
		}
	case []any:
		has, _ := got.([]any)
		if len(has) != len(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
			return
		}
		for i := range want {
			p.compare(t, what+"["+strconv.Itoa(i)+"]", want[i], has[i])
		}
	case string:
		has, _ := got.(string)
		p.compareText(t, what, want, has)
	case json.Number:
		if _, ok := got.(json.Number); !ok {
			t.Errorf("%s: %v, want a number", what, got)
		}
	default:
		if got != example {
			t.Errorf("%s: %v, want %v", what, got, example)
		}
	}
}

func (p *player) compareText(t *testing.T, what, want, got string) {
	t.Helper()
	switch _, known := p.live[want]; {
	case p.translate(want) == got:
	case aTime.MatchString(want) && aTime.MatchString(got):
	case !known && made.MatchString(want) && made.MatchString(got):
		p.live[want] = got
	default:
		t.Errorf("%s: %q, want %q", what, got, p.translate(want))
	}
}
