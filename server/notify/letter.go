package notify

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/cortex-auth/cortex/vault"
)

// A letter is a message as people read it, before a transport escapes it.
type letter struct {
	vault.Message
	test  bool
	title string
	parts []part
}

// A part of a letter is our own or the administrator's, or foreign: somebody
// else may have chosen it.
type part struct {
	text    string
	foreign bool
}

// write makes a letter of a message, by the channel's template if it has one.
// A test says by itself what it is, whatever the template.
func write(d vault.Delivery) (letter, error) {
	l := letter{Message: d.Message, test: d.Test, title: title(d.Message)}
	fields := fieldsOf(d.Message, d.Channel.Name)
	if d.Channel.Template == "" || d.Test {
		l.parts = append([]part{{text: l.title + "\n\n"}}, fields["text"]...)
		return l, nil
	}
	t, err := parseTemplate(d.Channel.Template)
	if err != nil {
		return letter{}, err
	}
	for _, p := range t {
		if p.field == "" {
			l.parts = append(l.parts, part{text: p.text})
		} else {
			l.parts = append(l.parts, fields[p.field]...)
		}
	}
	return l, nil
}

// subject returns the title, which holds nothing foreign.
func (l letter) subject() string { return l.title }

// text returns the whole letter, of at most so many characters, its foreign
// parts escaped. Where it would be longer it ends with a whole part.
func (l letter) text(escape func(string) string, longest int) string {
	const more = "…"
	var b strings.Builder
	left := longest - utf8.RuneCountInString(more)
	for _, p := range l.parts {
		text := p.text
		if p.foreign {
			text = escape(text)
		}
		n := utf8.RuneCountInString(text)
		if n > left {
			b.WriteString(more)
			break
		}
		left -= n
		b.WriteString(text)
	}
	return b.String()
}

var marks = map[vault.Severity]string{vault.Info: "ℹ️", vault.Warning: "⚠️", vault.Critical: "🚨"}

// title returns a line that says what happened.
func title(m vault.Message) string {
	what, ok := stories[m.Kind]
	if !ok {
		what.title = "something that somebody should look at"
	}
	return marks[m.Severity] + " cortex: " + what.title
}

// fieldsOf returns what a template can name.
func fieldsOf(m vault.Message, channel string) map[string][]part {
	foreign := func(s string) []part {
		if s == "" {
			return nil
		}
		return []part{{s, true}}
	}
	ours := func(s string) []part { return []part{{text: s}} }
	number := func(n uint64) []part {
		if n == 0 {
			return nil
		}
		return ours(strconv.FormatUint(n, 10))
	}
	f := map[string][]part{
		"title": ours(title(m)), "kind": foreign(m.Kind), "severity": ours(string(m.Severity)),
		"namespace": foreign(m.Namespace), "agent": foreign(m.Agent), "project": foreign(m.Project),
		"resource": foreign(m.Resource), "request": foreign(m.Ref), "reason": foreign(m.Reason), "variables": list(m.Names),
		"actor": foreign(m.Actor), "source": foreign(m.Source), "host": foreign(m.Host),
		"more": number(uint64(m.More)), "record": number(m.Entry), "channel": foreign(channel),
		"time": ours(m.Time.UTC().Format(time.DateTime) + " UTC"), "id": ours(m.ID),
	}
	f["text"] = paragraph(m, f)
	return f
}

// list returns names with commas between them.
func list(names []string) (parts []part) {
	for i, n := range names {
		if i > 0 {
			parts = append(parts, part{text: ", "})
		}
		parts = append(parts, part{n, true})
	}
	return parts
}

// lines are the fields that the text of a message shows, where they are known.
var lines = []struct{ label, field string }{
	{"agent", "agent"},
	{"project", "project"},
	{"namespace", "namespace"},
	{"about", "resource"},
	{"reason", "reason"},
	{"variables", "variables"},
	{"request", "request"},
	{"by", "actor"},
	{"from", "source"},
	{"host", "host"},
	{"audit record", "record"},
	{"time", "time"},
}

// paragraph returns what happened, and the fields that are known, each on a
// line.
func paragraph(m vault.Message, fields map[string][]part) []part {
	story, ok := stories[m.Kind]
	if !ok {
		story.text = "The audit trail has an alarm."
	}
	parts := []part{{text: story.text}}
	switch {
	case m.Kind == vault.KindDropped:
		parts = append(parts, part{text: " There were " + strconv.Itoa(m.More) + "."})
	case m.More > 0:
		parts = append(parts, part{text: " This happened " + strconv.Itoa(m.More) + " more times within ten minutes; this is the last of them."})
	}
	if m.Kind == vault.KindTest {
		parts = append(append(parts, part{text: "\nchannel: "}), fields["channel"]...)
	}
	for _, line := range lines {
		value := fields[line.field]
		if len(value) == 0 || line.field == "resource" && (m.Resource == m.Project || m.Resource == m.Agent) {
			continue
		}
		parts = append(append(parts, part{text: "\n" + line.label + ": "}), value...)
	}
	return parts
}
