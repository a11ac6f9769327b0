package command

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/cortex-auth/cortex/server/api"
)

// evil is what an agent, or a server, might call something.
const evil = "x\x1b[2J\u202e\u0085\n<b>"

// poison writes evil into every text of v, and something into everything else.
func poison(v reflect.Value) {
	if v.Type() == reflect.TypeFor[api.Time]() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(evil)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		poison(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		poison(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i))
		}
	}
}

func poisoned[R any](t *testing.T) http.HandlerFunc {
	t.Helper()
	rows := make([]R, 1)
	poison(reflect.ValueOf(rows).Index(0))
	body, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	return answers(200, string(body))
}

// Whatever stands in a row, a table of it is one line for each, and nothing that
// a terminal obeys.
func TestListsAreInert(t *testing.T) {
	h := newHost(t)
	t.Setenv("ADMIN_TOKEN", "x")
	t.Setenv("CORTEX_URL", serve(t, map[string]http.HandlerFunc{
		"/admin/secrets":                 poisoned[api.Secret](t),
		"/admin/agents":                  poisoned[api.Agent](t),
		"/admin/pending-grants":          poisoned[api.PendingGrant](t),
		"/admin/projects":                poisoned[api.Project](t),
		"/admin/projects/app/pins":       poisoned[api.Pin](t),
		"/admin/policies":                poisoned[api.Policy](t),
		"/admin/namespaces":              poisoned[api.Namespace](t),
		"/admin/devices":                 poisoned[api.Device](t),
		"/admin/daemon-sessions":         poisoned[api.DaemonSession](t),
		"/admin/allowed-daemon-versions": poisoned[api.AllowedDaemon](t),
		"/admin/freezes":                 poisoned[api.Freeze](t),
		"/admin/users":                   poisoned[api.User](t),
		"/admin/confirmations":           poisoned[api.Confirmation](t),
		"/admin/notification-channels":   poisoned[api.Channel](t),
		"/admin/audit-logs":              poisoned[api.AuditRow](t),
	}))
	for _, n := range nouns() {
		args := []string{n.name, "list"}
		switch n.name {
		case "grant":
			args = append(args, "--all")
		case "pin":
			args = append(args, "app")
		}
		r := h.run(args...).want(t, 0)
		if strings.Count(r.stdout, "\n") != 2 || !strings.Contains(r.stdout, `x\x1b[2J`) || strings.ContainsFunc(r.stdout, obeyed) {
			t.Errorf("%v: %q", args, r.stdout)
		}
		if r := h.run(append(args, "--json")...).want(t, 0); !json.Valid([]byte(r.stdout)) || strings.Contains(r.stdout, "\x1b") {
			t.Errorf("%v --json: %q", args, r.stdout)
		}
	}
}

// obeyed reports whether a terminal might do something about a character.
func obeyed(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }
