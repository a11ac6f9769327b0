package server_test

import "testing"

// docs/openapi.yaml describes the routes of the server and nothing else.
func TestDescriptionHasTheRoutes(t *testing.T) {
	described, served := map[string]bool{}, map[string]bool{}
	for _, op := range readDescription(t).all() {
		described[op.method+" "+op.path] = true
	}
	for _, r := range documented(t) {
		served[r.method+" "+r.path] = true
	}
	wantSame(t, "route", described, served)
}

// wantSame fails unless the description has what there is, and nothing else.
func wantSame[D, W any](t *testing.T, what string, described map[string]D, there map[string]W) {
	t.Helper()
	for _, name := range sortedKeys(described) {
		if _, ok := there[name]; !ok {
			t.Errorf("docs/openapi.yaml describes the %s %s, which is not there", what, name)
		}
	}
	for _, name := range sortedKeys(there) {
		if _, ok := described[name]; !ok {
			t.Errorf("docs/openapi.yaml does not describe the %s %s", what, name)
		}
	}
}

// Each example is as its schema says.
func TestDescriptionExamples(t *testing.T) {
	d := readDescription(t)
	for _, op := range append(d.all(), d.webhook()) {
		forms := map[string]located{}
		if form, ok := d.body(op); ok {
			forms["request"] = form
		}
		for code, r := range d.responses(op) {
			for media, form := range d.children(r.at, "content") {
				forms[code+" "+media] = form
			}
			for name, h := range d.children(r.at, "headers") {
				forms[code+" "+name] = h
			}
		}
		for _, l := range d.parameters(op) {
			forms[l.object["name"].(string)] = l
		}
		for what, form := range forms {
			for name, example := range d.children(form.at, "examples") {
				d.validate(t, op.id+": "+what+": example "+name, form, example.object["value"])
			}
		}
	}
}

// What docs/openapi.yaml says is what is heard: its examples are played, all of
// them, and every answer that is described is given, with every member.
func TestDescriptionIsTrue(t *testing.T) {
	t.Parallel()
	d := readDescription(t)
	t.Run("everything", d.everything)
	t.Run("undelivered", d.undelivered)
	t.Run("sealed", d.sealed)
	t.Run("too often", d.tooOften)
	t.Run("in two namespaces", d.inTwoNamespaces)
	t.Run("rotating", d.rotating)
	t.Run("later", d.later)
	if !t.Failed() {
		d.wantAllPlayed(t)
		d.wantAllSeen(t)
	}
}
