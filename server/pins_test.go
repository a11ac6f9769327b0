package server_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// forCommand is the body of a request for a command with this one argument.
func forCommand(arg string) string {
	c := pinned.Command{Program: "/usr/bin/deploy", ProgramSHA256: strings.Repeat("a", 64), Args: []string{arg}, Dir: "/srv/app"}
	return `{"command":` + string(c.Encode()) + `}`
}

// enforcing returns an agent with a token for a project that asks for approved
// commands.
func enforcing(t *testing.T, s *servertest.Server) (a *servertest.Agent, token string) {
	t.Helper()
	a = staged(t, s)
	token = a.Obtain(t, "app", "OPENAI_API_KEY").Token
	s.Admin(t, "PUT", "/admin/projects/app/settings", map[string]string{"commands": "enforce"}, nil)
	return a, token
}

// refusedCommand fails unless an answer refuses a command, and returns the pin.
func refusedCommand(t *testing.T, a servertest.Answer, why string) string {
	t.Helper()
	var e api.Error
	a.JSON(t, &e)
	if a.Status != http.StatusForbidden || e.Code != api.CommandNotPinned || e.Details == nil || e.Details.Why != why || e.Message != "this command was not approved: "+why {
		t.Fatalf("%s, want %s", a.Body, why)
	}
	return e.Details.PinID
}

func TestPins(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a, token := enforcing(t, s)
		refusedCommand(t, a.Fetch(t, "app", token), "the daemon does not say what it runs")
		id := refusedCommand(t, a.FetchFor(t, "app", token, forCommand("now")), "nothing has been approved yet")
		wantError(t, s.TryAdmin(t, "POST", "/admin/projects/other/pins/"+id+"/approve", api.ApprovePin{}), http.StatusNotFound, api.NotFound)
		wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/pins/"+id+"/approve", api.ApprovePin{Args: &[]string{"later"}}), http.StatusBadRequest, api.InvalidRequest)
		s.Admin(t, "POST", "/admin/projects/app/pins/"+id+"/approve", api.ApprovePin{Sealed: true}, nil)
		answer := a.FetchFor(t, "app", token, forCommand("now"))
		var got api.ProjectSecrets
		answer.JSON(t, &got)
		if answer.Status != http.StatusOK || got.Commands != "enforce" || got.Pin == nil || got.Pin.ID != id || len(got.Pin.Env) == 0 || !got.Pin.Sealed {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		if again := refusedCommand(t, a.FetchFor(t, "app", token, forCommand("later")), "argument 1 is not what was approved"); again == id {
			t.Error("another command is the same pin")
		}
	})
}

// A template is for a command, for a file on a disk, or both, as the body says.
func TestConfigFor(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a, token := enforcing(t, s)
		s.SecretWith(t, map[string]any{"key_path": "conf", "secret_type": "TEMPLATE_CONFIG", "value": "{{openai_api_key}}"})
		ask := func(body string) servertest.Answer {
			return a.Tell(t, "/project/config/app/conf", token, body, body)
		}
		set := func(name, value string) {
			s.Admin(t, "PUT", "/admin/projects/app/settings", map[string]string{name: value}, nil)
		}
		renders := func(answer servertest.Answer) {
			t.Helper()
			if answer.Status != http.StatusOK || string(answer.Body) != "sk-1" {
				t.Errorf("%d %s", answer.Status, answer.Body)
			}
		}
		command := forCommand("now")
		inFile := strings.TrimSuffix(command, "}") + `,"path":"/srv/app/app.conf"}`
		const file = `{"path":"/srv/app/app.conf"}`
		set("template_files", "allow")
		refusedCommand(t, ask(file), "the daemon does not say what it runs")
		id := refusedCommand(t, ask(inFile), "nothing has been approved yet")
		s.Admin(t, "POST", "/admin/projects/app/pins/"+id+"/approve", api.ApprovePin{}, nil)
		renders(ask(command))
		renders(ask(inFile))
		set("template_files", "deny")
		wantError(t, ask(inFile), http.StatusForbidden, api.ExposureDenied)
		renders(ask(command))
		set("commands", "any")
		wantError(t, ask(file), http.StatusForbidden, api.ExposureDenied)
		renders(ask(`{}`))
		set("template_files", "allow")
		renders(ask(file))
		for _, path := range []string{`""`, `"app.conf"`, `1`, `["/a"]`, `"/\u0000"`} {
			wantError(t, ask(`{"path":`+path+`}`), http.StatusBadRequest, api.InvalidRequest)
		}
	})
}

// A daemon from before works where nobody asks for commands, and does so again.
func TestOlderDaemons(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		answer := a.Send(t, a.Discovery("app", "OPENAI_API_KEY"))
		if strings.Contains(string(answer.Body), "command") {
			t.Errorf("discover: %s", answer.Body)
		}
		token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
		const values = `{"env_vars":{"OPENAI_API_KEY":"sk-1"}}`
		wantBody(t, a.Fetch(t, "app", token), http.StatusOK, values)
		s.Admin(t, "PUT", "/admin/projects/app/settings", map[string]string{"commands": "learn"}, nil)
		wantBody(t, a.Fetch(t, "app", token), http.StatusOK, `{"env_vars":{"OPENAI_API_KEY":"sk-1"},"commands":"learn"}`)
		s.Admin(t, "PUT", "/admin/projects/app/settings", map[string]string{"commands": "any"}, nil)
		wantBody(t, a.Fetch(t, "app", token), http.StatusOK, values)
		wantBody(t, a.FetchFor(t, "app", token, `{}`), http.StatusOK, values)
		wantBody(t, a.FetchFor(t, "app", token, `{"command":null}`), http.StatusOK, values)
		wantBody(t, a.FetchFor(t, "app", token, `{"later":1}`), http.StatusOK, values)
	})
}

// What is no command is refused wherever one can be said, and quoted nowhere.
func TestBadCommands(t *testing.T) {
	s := unlimited(t)
	a, token := enforcing(t, s)
	s.Admin(t, "PUT", "/admin/projects/app/settings", map[string]string{"commands": "any"}, nil)
	good := strings.TrimSuffix(strings.TrimPrefix(forCommand("x"), `{"command":`), `}`)
	for name, command := range map[string]string{
		"a string":        `"/bin/true"`,
		"nothing":         `{}`,
		"relative":        strings.Replace(good, "/usr/bin", "usr/bin", 1),
		"NUL":             strings.Replace(good, `["x"]`, `["\u0000"]`, 1),
		"no text":         strings.Replace(good, `["x"]`, `["\ufffd"]`, 1),
		"two directories": strings.Replace(good, `{`, `{"dir":"/",`, 1),
		"another case":    strings.Replace(good, `{`, `{"Dir":"/",`, 1),
		"long":            strings.Replace(good, `["x"]`, `["`+strings.Repeat("x", 32<<10)+`"]`, 1),
		"many files":      strings.Replace(good, `{`, `{"files":[`+strings.TrimSuffix(strings.Repeat(`{"arg":0},`, 999), ",")+`],`, 1),
		"secret":          `{"program":"sk-live-1234567890"}`,
	} {
		for path, body := range map[string]string{
			"/project/secrets/app":        `{"command":` + command + `}`,
			"/project/config/app/x":       `{"command":` + command + `}`,
			"/project/ssh-signatures/app": `{"name":"K","host_key":"","session":"","host_signature":"","request":"","command":` + command + `}`,
		} {
			answer := a.Tell(t, path, token, body, body)
			if answer.Status != http.StatusBadRequest || answer.Code() != "invalid_request" || strings.Contains(string(answer.Body), "sk-live") {
				t.Errorf("%s to %s: %d %.200s", name, path, answer.Status, answer.Body)
			}
		}
		d := a.Discovery("app", "OPENAI_API_KEY")
		text := fmt.Sprintf(`{"agent_id":%q,"auth_proof":%q,"ts":%d,"nonce":%q,"context":{"project_name":"app","file_content":"OPENAI_API_KEY="},"regenerate_token":true,"command":%s}`,
			d.AgentID, d.AuthProof, *d.TS, *d.Nonce, command)
		answer := a.SendRaw(t, []byte(text))
		if answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), `"error":"command`) {
			t.Errorf("%s to discover: %d %.200s", name, answer.Status, answer.Body)
		}
	}
	huge := `{"command":` + strings.Repeat(" ", 40<<10) + good + `}`
	wantError(t, a.FetchFor(t, "app", token, huge), http.StatusRequestEntityTooLarge, api.TooLarge)
	var rows []api.Pin
	s.Admin(t, "GET", "/admin/projects/app/pins", nil, &rows)
	if len(rows) > 0 {
		t.Errorf("kept %+v", rows)
	}
}

// A command that is put into the request of another, or signed for another path, is
// none: the daemon's signature is over the body.
func TestCommandIsAttested(t *testing.T) {
	s := unlimited(t)
	a, token := enforcing(t, s)
	id := refusedCommand(t, a.FetchFor(t, "app", token, forCommand("good")), "nothing has been approved yet")
	s.Admin(t, "POST", "/admin/projects/app/pins/"+id+"/approve", api.ApprovePin{}, nil)
	wantError(t, a.Tell(t, "/project/secrets/app", token, forCommand("good"), forCommand("bad")), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Tell(t, "/project/secrets/app", token, forCommand("good"), ""), http.StatusUnauthorized, api.Unauthorized)
	inFile := strings.TrimSuffix(forCommand("good"), "}") + `,"path":"/srv/app/app.conf"}`
	wantError(t, a.Tell(t, "/project/config/app/conf", token, inFile, forCommand("good")), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Tell(t, "/project/config/app/conf", token, forCommand("good"), inFile), http.StatusUnauthorized, api.Unauthorized)
	session := a.SessionID
	a.SessionID = ""
	wantError(t, a.FetchFor(t, "app", token, forCommand("good")), http.StatusUnauthorized, api.Unauthorized)
	a.SessionID = session
	if answer := a.FetchFor(t, "app", token, forCommand("good")); answer.Status != http.StatusOK {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
}

// What an agent calls its things is kept as it is, and what is said of it can be
// printed.
func TestCommandNames(t *testing.T) {
	s := unlimited(t)
	a, token := enforcing(t, s)
	evil := pinned.Command{
		Program: "/tmp/\x1b]0;x\a\n", ProgramSHA256: strings.Repeat("a", 64), Args: []string{"\u202e</script>", "/\r"}, Dir: "/\x1b[2J",
		Files: []pinned.File{{Arg: 1, Path: "/\r\u200b", SHA256: strings.Repeat("b", 64)}},
	}.Weaker("program", "file:1", "dir")
	body := `{"command":` + string(evil.Encode()) + `}`
	refusedCommand(t, a.FetchFor(t, "app", token, body), "nothing has been approved yet")
	var rows []api.Pin
	s.Admin(t, "GET", "/admin/projects/app/pins", nil, &rows)
	if len(rows) != 1 || rows[0].Command.Program != evil.Program || rows[0].Command.Args[0] != evil.Args[0] || rows[0].Command.Files[0].Path != evil.Files[0].Path {
		t.Fatalf("%+v", rows)
	}
	s.Admin(t, "POST", "/admin/projects/app/pins", map[string]any{"pin": map[string]any{"program": "/tmp/x", "args": []string{}}}, nil)
	answer := a.FetchFor(t, "app", token, body)
	for _, text := range append(rows[0].Weakness, string(answer.Body), s.Log()) {
		if strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\x1b\a\r\u202e\u200b") {
			t.Errorf("said %q", text)
		}
	}
	var log []map[string]any
	s.Admin(t, "GET", "/admin/audit-logs?action=pin_asked", nil, &log)
	if text := fmt.Sprint(log); len(log) != 1 || strings.ContainsAny(text, "\x1b\a\r\n\u202e") {
		t.Errorf("recorded %q", text)
	}
}

// What cannot be a pin is refused, and so is what a pin does not have.
func TestBadPins(t *testing.T) {
	s := unlimited(t)
	for _, text := range []string{
		`{}`, `{"pin":null}`, `{"pin":{}}`, `{"pin":{"dirs":["srv"]}}`, `{"pin":{"dirs":["/srv"],"later":1}}`, `{"pin":{"dirs":["/srv"],"Env":[]}}`,
		`{"pin":{"program":"/bin/true","args":["**","x"]}}`, `{"pin":{"dirs":["/srv"]}}}`,
	} {
		wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/pins", []byte(text)), http.StatusBadRequest, api.InvalidRequest)
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/projects/app/pins", []byte(`{"pin":{"dirs":["/`+strings.Repeat("x", 140<<10)+`"]}}`)), http.StatusRequestEntityTooLarge, api.TooLarge)
	auditor := logIn(t, s, "carl", "auditor")
	for line, want := range map[string]int{
		"GET /admin/projects/app/pins":            http.StatusOK,
		"POST /admin/projects/app/pins":           http.StatusForbidden,
		"POST /admin/projects/app/pins/x/deny":    http.StatusForbidden,
		"POST /admin/projects/app/pins/x/approve": http.StatusForbidden,
		"DELETE /admin/projects/app/pins/x":       http.StatusForbidden,
		"PUT /admin/projects/app/settings":        http.StatusForbidden,
	} {
		method, path, _ := strings.Cut(line, " ")
		r := servertest.Request{Method: method, Path: path, Header: http.Header{"X-Admin-Token": {auditor}, "Content-Type": {"application/json"}}}
		if method != http.MethodGet {
			r.Body = `{"pin":{"dirs":["/srv"]},"commands":"any"}`
		}
		if answer := s.Do(t, r); answer.Status != want {
			t.Errorf("%s by an auditor: %d %s", line, answer.Status, answer.Body)
		}
	}
}
