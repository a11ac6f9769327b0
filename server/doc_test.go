package server_test

import (
	"os"
	"regexp"
	"testing"
)

type documentedRoute struct{ method, path string }

// documented returns the routes that docs/api.md describes. That they are
// those of the server, a test inside package server sees to.
func documented(t *testing.T) (routes []documentedRoute) {
	t.Helper()
	text, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^### `([A-Z]+) (/[^`]*)`$").FindAllStringSubmatch(string(text), -1) {
		routes = append(routes, documentedRoute{m[1], m[2]})
	}
	if len(routes) == 0 {
		t.Fatal("no routes are documented")
	}
	return routes
}
