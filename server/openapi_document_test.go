package server_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

// object is a JSON object as package jsonschema wants it.
type object = map[string]any

// A description is docs/openapi.yaml.
type description struct {
	root       object
	operations map[string]*operation // by id
	schemas    *jsonschema.Compiler
	seen       map[string]bool // answers and what is in them, by pointer
	played     map[string]bool // examples
	used       map[string]bool // operations
}

// An operation is one route of it.
type operation struct {
	id, method, path string
	located
}

// A located object knows where it stands in the description.
type located struct {
	object
	at string // a JSON pointer
}

const descriptionURL = "mem:///openapi.json"

func readDescription(t *testing.T) *description {
	t.Helper()
	text, err := os.ReadFile("../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var plain any
	if err := yaml.Unmarshal(text, &plain); err != nil {
		t.Fatal(err)
	}
	d := &description{operations: map[string]*operation{}, seen: map[string]bool{}, played: map[string]bool{}, used: map[string]bool{}}
	d.root = canonical(t, plain).(object)
	d.schemas = jsonschema.NewCompiler()
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	if err := d.schemas.AddResource(descriptionURL, d.root); err != nil {
		t.Fatal(err)
	}
	for path, methods := range d.root["paths"].(object) {
		for method, o := range methods.(object) {
			id, _ := o.(object)["operationId"].(string)
			op := &operation{id, strings.ToUpper(method), path, located{o.(object), pointer("#/paths", path, method)}}
			if d.operations[id] != nil || id == "" {
				t.Errorf("%s %s has no operationId of its own", op.method, path)
			}
			d.operations[id] = op
		}
	}
	return d
}

// canonical returns a value as if it had been read from JSON text.
func canonical(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, text)
}

func parse(t *testing.T, text []byte) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

// pointer extends a JSON pointer.
func pointer(at string, names ...string) string {
	for _, n := range names {
		at += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(n)
	}
	return at
}

// all returns the operations, in the order of their ids.
func (d *description) all() (ops []*operation) {
	for _, id := range sortedKeys(d.operations) {
		ops = append(ops, d.operations[id])
	}
	return ops
}

// follow returns the object at a pointer, or the one that it refers to.
func (d *description) follow(at string) located {
	var v any = d.root
	for _, name := range strings.Split(strings.TrimPrefix(at, "#/"), "/") {
		name = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
		switch x := v.(type) {
		case object:
			v = x[name]
		case []any:
			v = x[number(name)]
		}
	}
	o, _ := v.(object)
	if ref, ok := o["$ref"].(string); ok {
		return d.follow(ref)
	}
	return located{o, at}
}

// number reads an index or a status, 0 if it is none.
func number(name string) int {
	n, _ := strconv.Atoi(name)
	return n
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// children returns what an object has under a name, by name, with references
// followed, and where each is.
func (d *description) children(at, under string) map[string]located {
	l := d.follow(at)
	found := map[string]located{}
	inner, _ := l.object[under].(object)
	for name := range inner {
		found[name] = d.follow(pointer(l.at, under, name))
	}
	return found
}
