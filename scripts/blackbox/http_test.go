package blackbox

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/scripts/e2e"
)

// An object is one of JSON.
type object = map[string]any

// A vault is a server as one test sees it. Others may use it meanwhile: names
// have to be the test's own.
type vault struct {
	t        *testing.T
	url      string
	attested bool
	token    string // the administrator's
	http     *http.Client
	source   string // where requests come from
	id       string // what names end with
}

func newVault(t *testing.T, attested bool, url string) *vault {
	t.Helper()
	e2e.Look(t, "../..")
	return &vault{t: t, url: url, attested: attested, token: adminToken, http: outside, source: anywhere(), id: strings.ToLower(rand.Text()[:10])}
}

// outside sends requests, and follows nothing.
var outside = &http.Client{
	Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
	Timeout:       patience,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// anywhere returns an address that no other test has.
func anywhere() string {
	var b [3]byte
	rand.Read(b[:])
	return fmt.Sprintf("10.%d.%d.%d", b[0], b[1], b[2])
}

// named makes a name that no other test has.
func (v *vault) named(name string) string { return name + "_" + v.id }

// variable is what a path is called in an environment.
func variable(path string) string { return strings.ToUpper(path[strings.LastIndexByte(path, '/')+1:]) }

// An answer is a whole answer.
type answer struct {
	t      *testing.T
	asked  string
	status int
	header http.Header
	body   []byte
}

// send sends a request. Headers are lines; a body that is no text is sent as
// JSON.
func (v *vault) send(method, path string, body any, headers ...string) answer {
	v.t.Helper()
	req, err := http.NewRequest(method, v.url+path, bytes.NewReader(encoded(v.t, body)))
	if err != nil {
		v.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("X-Forwarded-For", v.source)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answer{v.t, method + " " + path, resp.StatusCode, resp.Header, got}
}

func encoded(t *testing.T, body any) []byte {
	t.Helper()
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return []byte(b)
	case []byte:
		return b
	}
	return asJSON(t, body)
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// admin sends a request of the administrator's.
func (v *vault) admin(method, path string, body any) answer {
	v.t.Helper()
	return v.send(method, path, body, "X-Admin-Token: "+v.token)
}

// want ends the test unless the answer has this status.
func (a answer) want(status int) answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s: %d %s, want %d", a.asked, a.status, a.body, status)
	}
	return a
}

// wantError ends the test unless the answer is an error with this status, and
// with one of these codes, if any are given.
func (a answer) wantError(status int, codes ...string) answer {
	a.t.Helper()
	o := a.want(status).object()
	if text, _ := o["error"].(string); text == "" {
		a.t.Errorf("%s: no error in %s", a.asked, a.body)
	}
	if code, _ := o["error_code"].(string); len(codes) > 0 && !slices.Contains(codes, code) {
		a.t.Errorf("%s: %s, want %v", a.asked, a.body, codes)
	}
	return a
}

// into decodes a body that has to be JSON.
func (a answer) into(out any) {
	a.t.Helper()
	if err := json.Unmarshal(a.body, out); err != nil || a.header.Get("Content-Type") != "application/json" {
		a.t.Fatalf("%s: %v in %q, %s", a.asked, err, a.body, a.header.Get("Content-Type"))
	}
}

func (a answer) object() (o object) { a.t.Helper(); a.into(&o); return o }

// find returns the row of a list that has a member of this value, nil if none
// does.
func (a answer) find(member string, value any) object {
	a.t.Helper()
	var rows []object
	a.want(http.StatusOK).into(&rows)
	for _, row := range rows {
		if row[member] == value {
			return row
		}
	}
	return nil
}

// has fails the test unless an object has these members with these values, as
// JSON has them.
func has(t *testing.T, o, want object) {
	t.Helper()
	for name, value := range want {
		if got, want := asJSON(t, o[name]), asJSON(t, value); !bytes.Equal(got, want) {
			t.Errorf("%s is %s, want %s, in %v", name, got, want, o)
		}
	}
}
