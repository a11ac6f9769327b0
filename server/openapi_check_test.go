package server_test

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
)

// check fails unless an answer is one that the operation is described to give,
// with everything that is described and nothing else. It keeps in mind what it
// saw.
func (d *description) check(t *testing.T, what string, op *operation, a servertest.Answer) {
	t.Helper()
	code := strconv.Itoa(a.Status)
	responses := d.responses(op)
	if responses[code].object == nil {
		code = code[:1] + "XX"
	}
	r, ok := responses[code]
	if !ok {
		t.Errorf("%s: %d %.200s is not described", what, a.Status, a.Body)
		return
	}
	d.seen[pointer(op.at, "responses", code)] = true
	d.checkHeaders(t, what, r, a.Header)
	d.checkBody(t, what, r, a)
}

func (d *description) checkHeaders(t *testing.T, what string, r located, h http.Header) {
	t.Helper()
	if h.Get("X-Request-Id") == "" || h.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: headers %v", what, h)
	}
	described := d.children(r.at, "headers")
	for name, header := range described {
		text := h.Get(name)
		if required, _ := header.object["required"].(bool); text == "" && !required {
			continue
		}
		var value any = text
		if n, err := strconv.Atoi(text); err == nil {
			value = json.Number(strconv.Itoa(n))
		}
		d.validate(t, what+": header "+name, header, value)
		d.seen[header.at] = true
	}
	for _, name := range []string{"Retry-After", "ETag", "X-Cortex-Next-Cursor"} {
		if _, ok := described[name]; !ok && h.Get(name) != "" {
			t.Errorf("%s: the header %s is not described", what, name)
		}
	}
}

func (d *description) checkBody(t *testing.T, what string, r located, a servertest.Answer) {
	t.Helper()
	forms := d.children(r.at, "content")
	if len(forms) == 0 {
		if len(a.Body) > 0 {
			t.Errorf("%s: has the body %q", what, a.Body)
		}
		return
	}
	media := a.Header.Get("Content-Type")
	form, ok := forms[media]
	switch {
	case !ok:
		t.Errorf("%s: Content-Type %s is not described", what, media)
	case strings.Contains(media, "json"):
		value := parse(t, a.Body)
		d.validate(t, what, form, value)
		d.seen[pointer(r.at, "error", errorText(value))] = true
		d.mark(t, pointer(form.at, "schema"), value)
	}
}

// errorText returns what an answer says is wrong, "" if it says nothing.
func errorText(answer any) string {
	o, _ := answer.(object)
	text, _ := o["error"].(string)
	return text
}

// mark keeps in mind which members of a schema a value has.
func (d *description) mark(t *testing.T, at string, value any) {
	t.Helper()
	schema := d.follow(at)
	for _, several := range []string{"allOf", "anyOf"} {
		list, _ := schema.object[several].([]any)
		for i := range list {
			d.mark(t, pointer(schema.at, several, strconv.Itoa(i)), value)
		}
	}
	switch v := value.(type) {
	case string:
		d.seen[pointer(schema.at, "enum", v)] = true
	case []any:
		for _, row := range v {
			d.mark(t, pointer(schema.at, "items"), row)
		}
	case object:
		members, _ := schema.object["properties"].(object)
		for name, inner := range v {
			member := pointer(schema.at, "additionalProperties")
			if _, ok := members[name]; ok {
				member = pointer(schema.at, "properties", name)
				d.seen[member] = true
			}
			d.mark(t, member, inner)
		}
	}
}
