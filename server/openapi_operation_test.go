package server_test

import (
	"strconv"
	"testing"
)

// responses returns the answers of an operation, by status.
func (d *description) responses(op *operation) map[string]located {
	return d.children(op.at, "responses")
}

// parameters returns the parameters of an operation.
func (d *description) parameters(op *operation) (found []located) {
	list, _ := op.object["parameters"].([]any)
	for i := range list {
		found = append(found, d.follow(pointer(op.at, "parameters", strconv.Itoa(i))))
	}
	return found
}

// example returns the named example of a parameter, a header or a body.
func (l located) example(name string) (value any, ok bool) {
	examples, _ := l.object["examples"].(object)
	e, ok := examples[name].(object)
	return e["value"], ok
}

// exampleOrUsual returns the example of that name, or else the usual one.
func (l located) exampleOrUsual(name string) any {
	v, ok := l.example(name)
	if !ok {
		v, _ = l.example("usual")
	}
	return v
}

// schemes returns the names of the credentials that an operation takes, of the
// first choice if there are several.
func (d *description) schemes(op *operation) []string {
	choices, ok := op.object["security"].([]any)
	if !ok {
		choices = d.root["security"].([]any)
	}
	if len(choices) == 0 {
		return nil
	}
	return sortedKeys(choices[0].(object))
}

// body returns the one form of a request's body, false if there is none.
func (d *description) body(op *operation) (located, bool) {
	forms := d.children(pointer(op.at, "requestBody"), "content")
	l, ok := forms["application/json"]
	return l, ok
}

// validate fails unless a value is as the schema of a located form says.
func (d *description) validate(t *testing.T, what string, form located, value any) {
	t.Helper()
	schema, err := d.schemas.Compile(descriptionURL + pointer(form.at, "schema"))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(value); err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
