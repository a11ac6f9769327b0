package redteam

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/pinned"
	"github.com/cortex-auth/cortex/vault/proof"
)

// What is tried with what a daemon tells the vault of a command.
var toldMoves = moves{
	"spliced-command":  splicedCommand,
	"replayed-command": replayedCommand,
	"untold-command":   untoldCommand,
	"false-command":    falseCommand,
	"many-commands":    manyCommands,
	"command-escapes":  commandEscapes,
}

// A ruled is a project that has its secrets for the command "good" alone.
type ruled struct {
	*site
	*servertest.Agent
	app, token, value string
}

// telling is the body of a request for a command with this argument.
func telling(arg string) string {
	c := pinned.Command{Program: "/usr/bin/deploy", ProgramSHA256: strings.Repeat("a", 64), Args: []string{arg}, Dir: "/srv/app"}
	return `{"command":` + string(c.Encode()) + `}`
}

func newRuled(t *testing.T) *ruled {
	t.Helper()
	s := shared()
	r := &ruled{site: s, Agent: s.agent(t), app: named("app")}
	variable, _, value := s.secret(t)
	r.value, r.token = value, r.Obtain(t, r.app, variable).Token
	if !fetched(t, r.Agent, r.app, r.token, value) {
		t.Fatal("nothing is delivered to begin with")
	}
	s.Admin(t, http.MethodPut, "/admin/projects/"+r.app+"/settings", object{"commands": "enforce"}, nil)
	r.allow(t, r.pinOf(t, r.FetchFor(t, r.app, r.token, telling("good"))))
	r.still(t)
	return r
}

// pinOf returns what a refusal asks to be approved.
func (r *ruled) pinOf(t *testing.T, a servertest.Answer) string {
	t.Helper()
	var e struct {
		Details struct {
			PinID string `json:"pin_id"`
		}
	}
	if a.JSON(t, &e); a.Code() != "command_not_pinned" {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return e.Details.PinID
}

func (r *ruled) allow(t *testing.T, pin string) {
	t.Helper()
	r.Admin(t, http.MethodPost, "/admin/projects/"+r.app+"/pins/"+pin+"/approve", object{}, nil)
}

// given reports whether an answer has the value.
func (r *ruled) given(t *testing.T, a servertest.Answer) bool {
	t.Helper()
	return !refused(t, a) && strings.Contains(string(a.Body), r.value)
}

// still ends the test unless what was approved gets the value.
func (r *ruled) still(t *testing.T) {
	t.Helper()
	if a := r.FetchFor(t, r.app, r.token, telling("good")); !r.given(t, a) {
		t.Fatalf("what was approved gets nothing: %d %s", a.Status, a.Body)
	}
}

// An approved command in the place of the one that the daemon has signed, of none, and
// of one for another project.
func splicedCommand(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	path := "/project/secrets/" + r.app
	for _, signed := range []string{telling("bad"), "", "{}"} {
		if r.given(t, r.Tell(t, path, r.token, telling("good"), signed)) {
			t.Logf("signed %q", signed)
			return open
		}
	}
	elsewhere := r.Sign(http.MethodPost, "/project/secrets/"+named("app"), []byte(telling("good")), proof.AuthTokenID(r.token))
	if r.given(t, r.send(t, telling("good"), elsewhere)) {
		return open
	}
	r.still(t)
	return stopped
}

// send asks for the values with an attestation.
func (r *ruled) send(t *testing.T, body, attestation string) servertest.Answer {
	t.Helper()
	return r.Do(t, servertest.Request{
		Method: http.MethodPost, Path: "/project/secrets/" + url.PathEscape(r.app), Body: []byte(body),
		Header: http.Header{"Authorization": {"Bearer " + r.token}, "X-Daemon-Attestation": {attestation}},
	})
}

// The request for an approved command, again; and one that was refused, after somebody
// has approved its command.
func replayedCommand(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	sign := func(body string) string {
		return r.Sign(http.MethodPost, "/project/secrets/"+r.app, []byte(body), proof.AuthTokenID(r.token))
	}
	good := sign(telling("good"))
	if !r.given(t, r.send(t, telling("good"), good)) {
		t.Fatal("it is not good once")
	}
	later := sign(telling("later"))
	r.allow(t, r.pinOf(t, r.send(t, telling("later"), later)))
	if r.given(t, r.send(t, telling("good"), good)) || r.given(t, r.send(t, telling("later"), later)) {
		return open
	}
	if !r.given(t, r.send(t, telling("later"), sign(telling("later")))) {
		t.Fatal("with another signature it is no good either")
	}
	return stopped
}

// A daemon from before, which asks as it always did, and one that says nothing.
func untoldCommand(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	if fetched(t, r.Agent, r.app, r.token, r.value) {
		return open
	}
	for _, nothing := range []string{"{}", `{"command":null}`, `{"later":1}`} {
		if r.given(t, r.FetchFor(t, r.app, r.token, nothing)) {
			t.Logf("%s", nothing)
			return open
		}
	}
	r.still(t)
	return stopped
}

// A daemon says that it runs what was approved, and runs nothing of the kind.
func falseCommand(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	if r.given(t, r.FetchFor(t, r.app, r.token, telling("bad"))) {
		t.Fatal("it need not say so")
	}
	return unless(r.given(t, r.FetchFor(t, r.app, r.token, telling("good"))), stopped)
}

// So many commands that wait that no other can.
func manyCommands(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	waiting := func() (n int) {
		var rows []struct{ Status string }
		r.Admin(t, http.MethodGet, "/admin/projects/"+r.app+"/pins", nil, &rows)
		for _, row := range rows {
			if row.Status == "asked" {
				n++
			}
		}
		return n
	}
	const tries = 100
	for range tries {
		r.pinOf(t, r.FetchFor(t, r.app, r.token, telling(named("x"))))
	}
	n := waiting()
	if n == 0 || n >= tries {
		t.Logf("%d wait", n)
		return open
	}
	r.still(t)
	// Another project's can wait, but no other one of this.
	newRuled(t)
	if r.pinOf(t, r.FetchFor(t, r.app, r.token, telling("real"))) != "" {
		return stopped
	}
	return limited
}

// Terminal sequences in all that an agent chooses of a command.
func commandEscapes(t *testing.T) outcome {
	t.Parallel()
	r := newRuled(t)
	const trick = "\x1b[2K\x1b]52;c;Y2FuYXJ5\x07\u202e\u0085canary"
	c := pinned.Command{Program: "/usr/bin/" + trick, ProgramSHA256: strings.Repeat("a", 64), Args: []string{trick}, Dir: "/srv/" + trick}
	pin := r.pinOf(t, r.FetchFor(t, r.app, r.token, `{"command":`+string(c.Encode())+`}`))
	for _, verb := range [][]string{{"list", r.app}, {"show", r.app, pin}, {"approve", r.app, pin}} {
		out, err := r.cortex(append(append([]string{"pin"}, verb...), "--url", r.site.URL)...)
		if err != nil {
			t.Fatalf("%q: %v\n%s", verb, err, out)
		}
		if verb[0] != "approve" && !strings.Contains(out, "canary") {
			t.Fatalf("%q: it is not shown at all: %s", verb, out)
		}
		if strings.ContainsAny(out, "\x1b\x07\u202e\u0085") {
			t.Logf("%q", out)
			return open
		}
	}
	return stopped
}
