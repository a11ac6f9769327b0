package server_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/auth"
	"github.com/cortex-auth/cortex/server/servertest"
)

// wantMembers fails unless an object has exactly these members.
func wantMembers(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	slices.Sort(names)
	if got := slices.Sorted(maps.Keys(object)); !slices.Equal(got, names) {
		t.Errorf("members %v, want %v", got, names)
	}
}

// wantBody fails unless an answer has this status and JSON text.
func wantBody(t *testing.T, a servertest.Answer, status int, body string) {
	t.Helper()
	if a.Status != status || strings.TrimSpace(string(a.Body)) != body {
		t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, body)
	}
}

// wantError fails unless an answer is an error of the one form, with this
// status and code.
func wantError(t *testing.T, a servertest.Answer, status int, code api.Code) {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(a.Body, &body); err != nil {
		t.Fatalf("%d %q: %v", a.Status, a.Body, err)
	}
	if a.Status != status || body["error_code"] != string(code) || body["error"] == "" {
		t.Errorf("%d %s, want %d %s", a.Status, a.Body, status, code)
	}
	if ct := a.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("content type %q", ct)
	}
	if code != api.PendingApproval {
		wantMembers(t, body, "error", "error_code")
	}
}

func proxies(t *testing.T, list string) auth.Proxies {
	t.Helper()
	p, err := auth.ParseProxies(list)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
