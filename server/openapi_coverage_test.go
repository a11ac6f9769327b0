package server_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A coverage is what is described and was never answered.
type coverage struct {
	*description
	walked map[string]bool // schemas, by pointer
	unseen []string
}

// rare are the answers that take a race, a fault of the server, a file that somebody
// has changed, or a full disk.
var rare = []string{
	"#/components/responses/ServerError/error/internal error", "#/components/responses/ServerError/error/storage is full",
	"changeKEKPassword 409", "splitKey 409", "sealStatus 5XX", "unseal 5XX",
	"#/paths/~1admin~1audit~1export/get/responses/200/content/application~1x-ndjson/schema/anyOf/3/properties/error",
	"#/components/schemas/AuditBreak/properties/seq", "#/components/schemas/AuditBreak/properties/why",
	"#/components/schemas/RotatedKey/properties/unopened", "#/components/schemas/Rotation/properties/problem",
}

// wantAllSeen fails unless each thing that is described was seen in an answer:
// statuses, headers, members, and error codes.
func (d *description) wantAllSeen(t *testing.T) {
	t.Helper()
	c := &coverage{description: d, walked: map[string]bool{}}
	for _, op := range d.all() {
		for code, r := range d.responses(op) {
			if code == "408" {
				continue // the server's patience is tried elsewhere
			}
			if at := pointer(op.at, "responses", code); !d.seen[at] {
				c.unseen = append(c.unseen, op.id+" "+code)
			}
			for _, form := range d.children(r.at, "content") {
				c.walk(t, pointer(form.at, "schema"))
				c.wantErrors(r, form)
			}
			for _, h := range d.children(r.at, "headers") {
				c.want(h.at)
			}
		}
	}
	slices.Sort(c.unseen)
	for _, what := range slices.Compact(c.unseen) {
		if !slices.Contains(rare, what) {
			t.Errorf("nothing ever answered %s", what)
		}
	}
}

func (c *coverage) want(at string) {
	if !c.seen[at] {
		c.unseen = append(c.unseen, at)
	}
}

// wantErrors wants each error of which an answer has an example.
func (c *coverage) wantErrors(r, form located) {
	for _, example := range c.children(form.at, "examples") {
		if text := errorText(example.object["value"]); text != "" {
			c.want(pointer(r.at, "error", text))
		}
	}
}

// wantEach wants each code of a member that says which there are. That of the
// type of errors refers to all codes, which come in one answer or another.
func (c *coverage) wantEach(member string) {
	schema := c.follow(member)
	choices, _ := schema.object["enum"].([]any)
	for _, choice := range choices {
		if schema.at == member && choice != "internal" && choice != "storage_full" {
			c.want(pointer(member, "enum", choice.(string)))
		}
	}
}

// walk looks for what no answer had of a schema.
func (c *coverage) walk(t *testing.T, at string) {
	t.Helper()
	schema := c.follow(at)
	if c.walked[schema.at] || schema.object == nil {
		return
	}
	c.walked[schema.at] = true
	members, _ := schema.object["properties"].(object)
	if _, exact := schema.object["additionalProperties"]; len(members) > 0 && !exact && strings.HasPrefix(schema.at, "#/components/schemas/") {
		t.Errorf("%s is answered and does not say additionalProperties", schema.at)
	}
	for name := range members {
		member := pointer(schema.at, "properties", name)
		c.want(member)
		if name == "error_code" {
			c.wantEach(member)
		}
		c.walk(t, member)
	}
	for _, inner := range []string{"items", "additionalProperties"} {
		c.walk(t, pointer(schema.at, inner))
	}
	for _, several := range []string{"allOf", "anyOf"} {
		list, _ := schema.object[several].([]any)
		for i := range list {
			c.walk(t, pointer(schema.at, several, strconv.Itoa(i)))
		}
	}
}

// wantAllPlayed fails unless each example was played.
func (d *description) wantAllPlayed(t *testing.T) {
	t.Helper()
	for _, op := range d.all() {
		forms := d.children(pointer(op.at, "requestBody"), "content")
		for code, r := range d.responses(op) {
			for media, form := range d.children(r.at, "content") {
				if !strings.HasPrefix(r.at, "#/components/") {
					forms[code+" "+media] = form
				}
			}
		}
		for _, form := range forms {
			examples, _ := form.object["examples"].(object)
			for name := range examples {
				if st := (step{op, name, ""}); !d.played[st.String()] {
					t.Errorf("the example %s is in no story", st)
				}
			}
		}
	}
}
