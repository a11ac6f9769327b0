package template

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

var values = map[string]string{
	"user": "bob", "pw": `<&'"=>` + "`", "empty": "", "zero": "0", "port": "5432", "yes": "true",
	"a/b": "slash", "a_b": "under", "x.y": "dot", "a-b": "dash", "/prod/x": "lead", "ümlaut": "ü", "len": "a helper's name",
}

func value(name string) []byte { return []byte(values[name]) }

func TestRender(t *testing.T) {
	for _, row := range []struct{ source, want string }{
		{"", ""},
		{"no tags { } }} \\ here", "no tags { } }} \\ here"},
		{"{{user}}:{{{pw}}}:{{&pw}}:{{ pw }}", "bob" + strings.Repeat(":"+values["pw"], 3)},
		{"{{a/b}} {{[a/b]}} {{a_b}} {{x.y}} {{[x.y]}} {{a-b}} {{[/prod/x]}} {{ümlaut}}", "slash slash under dot dot dash lead ü"},
		{"{{[len]}} {{len}} {{len user}}", "a helper's name a helper's name 3"},
		{`\{{user}} \\{{user}}`, `{{user}} \bob`},
		{"{{{{raw}}}}{{user}} \\{{x}}{{{{/raw}}}}!", "{{user}} \\{{x}}!"},
		{"a{{! {{ no }}b", "ab"},
		{"a{{!-- {{user}} }} --}}b{{!-- x --~}}  c", "abc"},
		{"a  {{~user~}}  b", "abobb"},
		{"a  {{~{user}~}}  b", "abobb"},
		{"{{#if user}}1{{else}}2{{/if}}{{#if empty}}1{{else}}2{{/if}}{{#if zero}}1{{^}}2{{/if}}", "122"},
		{"{{#unless empty}}1{{/unless}}{{#unless user}}1{{else}}2{{/unless}}", "12"},
		{"{{#if empty}}1{{else if zero}}2{{else if user}}3{{else}}4{{/if}}", "3"},
		{"{{#if (eq port 5432)}}y{{/if}}{{#if (and user (not empty))}}y{{/if}}{{#if (or empty zero)}}n{{/if}}", "yy"},
		{`{{eq user "bob"}} {{ne user 'bob'}} {{gt port 999}} {{lt "10" "9"}} {{gte 1 1}} {{lte 2 1.5}} {{lt "b" "a"}} {{eq 1 1.0}}`, "true false true false true false false true"},
		{"{{#if true}}t{{/if}}{{#if false}}f{{/if}}{{\"text\"}}{{12}}", "ttext12"},
		// A tag that is alone on its line takes the line with it.
		{"a\n{{#if user}}\nb\n{{/if}}\nc\n", "a\nb\nc\n"},
		{"a\r\n  {{#if user}}  \r\nb\r\n\t{{else}}\r\nx\r\n{{/if}}\r\nc", "a\r\nb\r\nc"},
		{"{{#if user}}\n{{#if user}}\nx\n{{/if}}\n{{/if}}\n", "x\n"},
		{"{{! first }}\nx\n  {{! last }}  ", "x\n"},
		{"a {{#if user}}\nb{{/if}}", "a \nb"},
		{"{{user}}\n{{user}}\n", "bob\nbob\n"},
	} {
		tpl, err := Parse([]byte(row.source))
		if err != nil {
			t.Errorf("%q: %v", row.source, err)
			continue
		}
		out, err := tpl.Render(value)
		if got := string(out.Reveal()); err != nil || got != row.want {
			t.Errorf("%q: got %q, want %q (%v)", row.source, got, row.want, err)
		}
	}
}

func TestNames(t *testing.T) {
	tpl, err := Parse([]byte(`{{b}}{{#if (eq c "d")}}{{a}}{{else}}{{[x y]}}{{b}}{{/if}}{{! e }}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := tpl.Names(); !slices.Equal(got, []string{"a", "b", "c", "x y"}) {
		t.Errorf("%q", got)
	}
}

func TestRefused(t *testing.T) {
	deep := func(open, end string) string {
		return strings.Repeat(open, maxDepth+2) + strings.Repeat(end, maxDepth+2)
	}
	for _, row := range []struct {
		source string
		line   int
		reason string
	}{
		{"a\n{{user", 2, "not closed"},
		{"{{}}", 1, "missing"},
		{"{{ }}", 1, "missing"},
		{"{{#if}}{{/if}}", 1, "missing"},
		{"{{#if a}}", 1, "{{#if}} is not closed"},
		{"{{#if a}}{{/unless}}", 1, "{{/if}} is missing"},
		{"{{/if}}", 1, "not opened"},
		{"\n\n{{else}}", 3, "without a block"},
		{"{{#if a}}{{else}}{{else}}{{/if}}", 1, "nothing can follow"},
		{"{{#if a}}{{else unless b}}{{/if}}", 1, "only {{else}}"},
		{"{{#each a}}{{/each}}", 1, "only {{#if}}"},
		{"{{#a}}{{/a}}", 1, "only {{#if}}"},
		{"{{^a}}{{/a}}", 1, "inverted"},
		{"{{> part}}", 1, "partials"},
		{"{{lookup a b}}", 1, "no helper"},
		{"{{log a}}", 1, "no helper"},
		{"{{eq a}}", 1, "wrong number"},
		{"{{not a b}}", 1, "wrong number"},
		{"{{eq (not a b}}", 1, "wrong number"},
		{"{{eq a (not b}}", 1, "parenthesis"},
		{"{{a)}}", 1, "something behind"},
		{"{{#if a b}}{{/if}}", 1, "no helper"},
		{"{{eq a \"x}}", 1, "quoted text"},
		{"{{[a}}", 1, "bracket"},
		{"{{@root}}", 1, "there is no @root"},
		{"{{../a}}", 1, "there is no ../a"},
		{"{{this}}", 1, "there is no this"},
		{"{{a=b}}", 1, ""},
		{"{{{{a}}}}", 1, "four braces"},
		{"{{{{raw}}}}", 1, "has no"},
		{"{{[a\x01]}}", 1, "control"},
		{"\xff", 1, "UTF-8"},
		{"{{" + strings.Repeat("x", maxName+1) + "}}", 1, "too long"},
		{strings.Repeat("x", MaxSize+1), 1, "longer than"},
		{strings.Repeat("{{a}} ", maxTags+1), 1, "too many tags"},
		{deep("{{#if a}}", "{{/if}}"), 1, "too deep"},
		{"{{not " + deep("(not ", ")") + "}}", 1, "too deep"},
		{"{{and" + strings.Repeat(" a", manyArgs+1) + "}}", 1, "too many arguments"},
	} {
		_, err := Parse([]byte(row.source))
		syntax, ok := errors.AsType[*SyntaxError](err)
		if !ok || syntax.Line != row.line || !strings.Contains(syntax.Reason, row.reason) {
			t.Errorf("%.40q: %v, want line %d: %s", row.source, err, row.line, row.reason)
		}
	}
}

// What it renders is bounded, however often a name stands in the source.
func TestTooLong(t *testing.T) {
	tpl, err := Parse([]byte(strings.Repeat("{{x}}", 100)))
	if err != nil {
		t.Fatal(err)
	}
	big := bytes.Repeat([]byte("x"), MaxOutput/100)
	if out, err := tpl.Render(func(string) []byte { return big }); err != nil || out.Len() != 100*len(big) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	big = append(big, "more"...)
	if out, err := tpl.Render(func(string) []byte { return big }); !errors.Is(err, ErrTooLong) || out.Len() != 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

// FuzzParse: whatever parses renders, asks for the names it said and no others,
// and a source without braces and backslashes is itself.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"{{user}}", "{{#if (and a (not b))}}x{{else if c}}y{{else}}z{{/if}}", "\\{{a}}", "{{{{raw}}}}x{{{{/raw}}}}", "{{~{a}~}}",
		"{{!-- x --~}} y", "{{[a b].c/d}}", "{{eq a 'x'}}", "\n{{else}}\n", "{{{a}~}}", "{{#unless a}}{{^}}{{/unless}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, source []byte) {
		before := bytes.Clone(source)
		tpl, err := Parse(source)
		if !bytes.Equal(source, before) {
			t.Fatal("the source was changed")
		}
		if err != nil {
			if _, ok := errors.AsType[*SyntaxError](err); !ok {
				t.Fatal(err)
			}
			return
		}
		names := tpl.Names()
		out, err := tpl.Render(func(n string) []byte {
			if !slices.Contains(names, n) {
				t.Fatalf("asked for %q, which is none of %q", n, names)
			}
			return []byte(n)
		})
		if err != nil && !errors.Is(err, ErrTooLong) {
			t.Fatal(err)
		}
		if !bytes.ContainsAny(source, "{}\\") && !bytes.Equal(out.Reveal(), source) {
			t.Fatalf("%q became %q", source, out.Reveal())
		}
	})
}
