package command

import (
	"net/http"
	"strings"
	"testing"
)

// Every verb of an administrator says what it is for, with examples that its own
// command line understands.
func TestAdminExamples(t *testing.T) {
	h := newHost(t)
	t.Setenv("CORTEX_URL", serve(t, map[string]http.HandlerFunc{"/": answers(500, `{"error":"internal error","error_code":"internal"}`)}))
	t.Setenv("ADMIN_TOKEN", "x")
	for _, noun := range nouns() {
		for _, make := range noun.verbs {
			verb := make()
			name := "cortex " + noun.name + " " + verb.Name
			n := 0
			for line := range strings.Lines(verb.Description) {
				_, example, ok := strings.Cut(line, name)
				if !ok {
					continue
				}
				n++
				example, _, _ = strings.Cut(example, " > ")
				if r := h.run(append([]string{noun.name, verb.Name}, words(example)...)...); r.status != 1 {
					t.Errorf("%s%s: status %d, %s", name, example, r.status, r.stderr)
				}
			}
			if n == 0 || verb.Usage == "" {
				t.Errorf("%s has no example, or says nothing of itself", name)
			}
		}
	}
}

// words splits a line as a shell does, as far as examples need it.
func words(line string) (all []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			all = append(all, part)
		} else {
			all = append(all, strings.Fields(part)...)
		}
	}
	return all
}
