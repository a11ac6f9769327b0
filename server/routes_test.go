package server

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// Every route has an authenticator and is described, and nothing else is.
func TestRoutesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for _, m := range regexp.MustCompile("(?m)^### `([^`]+)`$").FindAllStringSubmatch(string(text), -1) {
		described = append(described, m[1])
	}
	for _, r := range (&Server{}).routes() {
		if r.auth == nil || r.endpoint == nil {
			t.Errorf("%s lets nobody, or everybody, in", r.pattern)
		}
		served = append(served, r.pattern)
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("docs/api.md describes\n%q\nbut served is\n%q", described, served)
	}
}
