package store_test

import (
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/store"
)

func TestParseURL(t *testing.T) {
	for s, want := range map[string]string{
		"":                         "cortex-auth.db",
		"bolt://cortex-auth.db":    "cortex-auth.db",
		"bolt://./a/b.db":          "./a/b.db",
		"bolt:///var/lib/vault.db": "/var/lib/vault.db",
		"BOLT://x":                 "x",
		"bolt://a%20b":             "a%20b",
		"vault.db":                 "vault.db",
		"/var/lib/vault.db":        "/var/lib/vault.db",
		"a:b":                      "a:b",
		"what?.db":                 "what?.db",
	} {
		if got, err := store.ParseURL(s); err != nil || got != want {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	for s, says := range map[string]string{
		"sqlite://cortex-auth.db?mode=rwc": "POST /admin/secrets",
		"sqlite:cortex-auth.db":            "POST /admin/secrets",
		"sqlite::memory:":                  "POST /admin/secrets",
		"SQLite3://x":                      "POST /admin/secrets",
		"postgres://u:p@h/db":              `"postgres"`,
		"http://x":                         `"http"`,
		"://x":                             `""`,
		"bolt://":                          "without a path",
		"bolt://x?mode=ro":                 "options",
		"bolt://x#y":                       "options",
		"a\x00b":                           "NUL",
	} {
		if got, err := store.ParseURL(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %q, %v", s, got, err)
		}
	}
	// A password in a URL does not belong into an error message.
	if _, err := store.ParseURL("postgres://u:hunter2@h/db"); strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// Law: what is parsed is a path that parses to itself, and so does its URL.
func FuzzParseURL(f *testing.F) {
	for _, s := range []string{"", "bolt://a", "bolt:///a/b", "a b", "sqlite://x", "sqlite:x", "bolt://bolt://a", "x://y", "a?b", "bolt://a#b", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := store.ParseURL(s)
		if err != nil {
			return
		}
		if path == "" || strings.Contains(path, "\x00") {
			t.Fatalf("%q is the path %q", s, path)
		}
		if strings.Contains(path, "://") || strings.ContainsAny(path, "?#") || strings.HasPrefix(strings.ToLower(path), "sqlite:") {
			return // such a path can be given in one of the two ways only
		}
		for _, again := range []string{path, "bolt://" + path} {
			if got, err := store.ParseURL(again); err != nil || got != path {
				t.Errorf("%q is %q, then %q is %q, %v", s, path, again, got, err)
			}
		}
	})
}
