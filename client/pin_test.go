package client

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/pinned"
)

// A command travels in the body, in its one form, and the daemon signs that; nothing
// makes it longer on the way.
func TestCommandIsSent(t *testing.T) {
	token := opaque.New([]byte(strings.Repeat("ab", 32)))
	command := pinned.Command{Program: "/bin/echo", ProgramSHA256: strings.Repeat("a", 64), Args: []string{"<&>\u2028"}, Dir: "/"}
	const tokenID = "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a"
	want := `{"command":` + string(command.Encode()) + `}`
	asked := map[string]string{}
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost {
			t.Errorf("%s %s, %v", r.Method, r.URL, err)
		}
		checkAttested(t, r, r.URL.Path, body, tokenID)
		checkCaller(t, r)
		asked[r.URL.Path] = string(body)
		switch {
		case strings.HasPrefix(r.URL.Path, "/project/secrets"):
			io.WriteString(w, `{"env_vars":{"A":"1"},"commands":"enforce","pin":{"id":"p","env":["HOME"]}}`)
		case strings.HasPrefix(r.URL.Path, "/project/ssh"):
			io.WriteString(w, `{"signature":"c2lnbmF0dXJl"}`)
		default:
			io.WriteString(w, "text")
		}
	})
	caller := CallerContext{PID: 42, Command: command.Encode()}
	got, err := c.ProjectSecrets(t.Context(), "my-app", token, vecSession(), caller)
	if err != nil || got.Commands != api.CommandsEnforce || got.Pin == nil || got.Pin.ID != "p" || got.Pin.Env[0] != "HOME" {
		t.Errorf("%+v, %v", got, err)
	}
	if text, err := c.ProjectConfig(t.Context(), "my-app", "a/b", "", token, vecSession(), caller); err != nil || string(text.Reveal()) != "text" {
		t.Errorf("%s, %v", text.Reveal(), err)
	}
	if _, err := c.ProjectConfig(t.Context(), "my-app", "a/c", "/srv/<&>", token, vecSession(), caller); err != nil {
		t.Error(err)
	}
	if _, err := c.ProjectConfig(t.Context(), "my-app", "a/d", "/srv/app", token, vecSession(), CallerContext{PID: 42}); err != nil {
		t.Error(err)
	}
	if _, err := c.SignSSH(t.Context(), "my-app", token, vecSession(), caller, SSHLogin{Name: "K"}); err != nil {
		t.Error(err)
	}
	for path, end := range map[string]string{
		"/project/secrets/my-app": want, "/project/config/my-app/a/b": want,
		"/project/config/my-app/a/c": want[:len(want)-1] + `,"path":"/srv/<&>"}`, "/project/config/my-app/a/d": `{"path":"/srv/app"}`,
		"/project/ssh-signatures/my-app": `,"request":"",` + want[1:],
	} {
		if !strings.HasSuffix(asked[path], end) {
			t.Errorf("%s: sent %s, want %s", path, asked[path], end)
		}
	}
}

func TestDiscoverSendsTheCommand(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var in api.DiscoverRequest
		if err := json.Unmarshal(body, &in); err != nil || string(in.Command) != `{"args":["<"]}` {
			t.Errorf("%s, %v", body, err)
		}
		io.WriteString(w, `{"project_token":"t","commands":"learn"}`)
	})
	out, err := c.Discover(t.Context(), api.DiscoverRequest{AgentID: "bot", Command: json.RawMessage(`{"args":["<"]}`)}, vecSession())
	if err != nil || out.Commands != api.CommandsLearn {
		t.Errorf("%+v, %v", out, err)
	}
}

// Pins are asked for a few at a time, so that long ones fit into an answer.
func TestAllPins(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if got := r.URL.Query(); r.URL.Path != "/admin/projects/p/pins" || got.Get("limit") != "16" || got.Get("namespace") != "ns" {
			t.Errorf("asked %s", r.URL)
		}
		io.WriteString(w, `[{"id":"i"}]`)
	})
	for p, err := range c.AllPins(t.Context(), "ns", "p") {
		if err != nil || p.ID != "i" {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

// A server that refuses a command says why in words that can be printed.
func TestCommandRefused(t *testing.T) {
	c := answering(t, fixed(403, "", `{"error":"no","error_code":"command_not_pinned","details":{"pin_id":"p\u001b[2J","why":"x\u001b]0;t\u0007\ny"}}`))
	_, err := c.ProjectSecrets(t.Context(), "p", opaque.New([]byte("t")), nil, CallerContext{Command: json.RawMessage(`{}`)})
	e, ok := errors.AsType[*api.Error](err)
	if !ok || !errors.Is(err, api.CommandNotPinned) || e.Details.PinID != "p [2J" || e.Details.Why != "x ]0;t y" {
		t.Errorf("%+v, %v", e.Details, err)
	}
}
