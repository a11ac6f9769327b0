package command

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

const authorized = `{"device_code":"dc-hush","user_code":"BCDF-GHJK","verification_uri":"/device","expires_in":600,"interval":5}`

// accessToken returns a token for an agent. Nobody verifies it here.
func accessToken(agentID string) string {
	b64 := base64.RawURLEncoding.EncodeToString
	return b64([]byte(`{"alg":"EdDSA"}`)) + "." + b64(fmt.Appendf(nil, `{"sub":%q,"iat":1714248000}`, agentID)) + ".c2ln"
}

func approved(agentID string) string {
	return `{"access_token":"` + accessToken(agentID) + `","token_type":"Bearer","expires_in":2592000,"kid":"k"}`
}

// A server of the older kind knows no proofs.
func TestLoginWithoutProof(t *testing.T) {
	h := newHost(t)
	url := serve(t, map[string]http.HandlerFunc{
		"POST /device/authorize": answers(200, authorized),
		"POST /device/token":     answers(200, approved("bot")),
	})
	r := h.run("daemon", "login", "--agent-id", "bot", "--url", url+"/", "--device-name", "bob's box", "--namespace", "prod").
		want(t, 0, "made a key for agent bot", "goes without one", "cortex agent add bot --key=", url+"/device", "cortex device approve BCDF-GHJK --agent bot --url "+url, "Ctrl-C", "logged in as agent bot", "cortex daemon", "--namespace prod", `bob'\''s box`)
	key, err := identity.Load(identity.Path(identity.Dir(), "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	if !strings.Contains(r.stderr, proof.EncodeKey(key.Public())) || r.stdout != "" {
		t.Errorf("stdout %q, stderr %s", r.stdout, r.stderr)
	}
	s, token, err := identity.OpenSession(identity.Dir(), key)
	if err != nil || s.ServerURL != url || s.AgentID != "bot" || string(token.Reveal()) != accessToken("bot") || s.ExpiresAt().Unix() != 1714248000+2592000 {
		t.Errorf("%+v, %v", s, err)
	}
	text, _ := os.ReadFile(identity.SessionPath(identity.Dir()))
	if strings.Contains(string(text)+r.stderr, accessToken("bot")) || strings.Contains(r.stderr, "dc-hush") {
		t.Error("a token was shown or kept in clear")
	}

	r = h.run("daemon", "login", "--agent-id", "bot", "--url", url, "--json", "--no-browser").want(t, 0)
	if strings.Contains(r.stderr, "made a key") {
		t.Error("a second key was made")
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	var first, last map[string]any
	if len(lines) != 2 || json.Unmarshal([]byte(lines[0]), &first) != nil || json.Unmarshal([]byte(lines[1]), &last) != nil {
		t.Fatalf("stdout %q", r.stdout)
	}
	if first["event"] != "code" || last["event"] != "login" || first["user_code"] != "BCDF-GHJK" || first["verification_uri"] != url+"/device" || first["agent_pub"] != proof.EncodeKey(key.Public()) || last["server_url"] != url || last["session_file"] == "" {
		t.Errorf("%v\n%v", first, last)
	}
}

// A front is a server that takes proofs, and checks them.
type front struct {
	t    *testing.T
	init api.DeviceAuthorizeRequest
	bare bool // forgets all that
}

func (f *front) serve(t *testing.T) string {
	return serve(t, map[string]http.HandlerFunc{
		"POST /device/authorize": f.authorize, "POST /device/token": f.token, "POST /device/logout": answers(200, `{"deleted":true,"rows":1}`),
	})
}

func (f *front) authorize(w http.ResponseWriter, r *http.Request) {
	var in api.DeviceAuthorizeRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Proof == nil {
		f.t.Errorf("%+v, %v", in, err)
	}
	d := proof.DeviceInit{Nonce: *in.Nonce, TS: *in.TS, AgentID: *in.AgentID, AgentPub: *in.AgentPub, Namespace: in.Namespace, Hostname: in.Hostname, Origin: in.Origin}
	if !f.signed(in, *in.Proof, d.Message()) || in.Origin != "http://"+r.Host || in.OS != runtime.GOOS+"/"+runtime.GOARCH {
		f.t.Errorf("%+v", in)
	}
	f.init = in
	if f.bare {
		answers(200, authorized)(w, r)
		return
	}
	answers(200, strings.Replace(authorized, "{", `{"proved":true,`, 1))(w, r)
}

func (f *front) token(w http.ResponseWriter, r *http.Request) {
	var in api.DeviceTokenRequest
	err := json.NewDecoder(r.Body).Decode(&in)
	if in.GrantType == api.GrantTypeAssertion {
		pub, _ := proof.DecodeKeyURL(*f.init.AgentPub)
		if a, err := token.ParseAssertion(string(in.Assertion.Reveal()), pub); err != nil || a.Subject != "bot" {
			f.t.Errorf("%+v, %v", a, err)
		}
	} else if err != nil || in.PollProof == nil || !f.signed(f.init, *in.PollProof, proof.PollMessage("dc-hush", *in.PollTS)) {
		f.t.Errorf("%+v, %v", in, err)
	}
	answers(200, approved(*f.init.AgentID))(w, r)
}

func (f *front) signed(in api.DeviceAuthorizeRequest, signature string, message []byte) bool {
	pub, err := proof.DecodeKeyURL(*in.AgentPub)
	sig, err2 := proof.DecodeSignatureURL(signature)
	return err == nil && err2 == nil && ed25519.Verify(pub, message, sig)
}

func TestLoginWithProof(t *testing.T) {
	h := newHost(t)
	f := &front{t: t}
	url := f.serve(t)
	r := h.run("daemon", "login", "--agent-id", "bot", "--url", url, "--device-name", "bob's box", "--namespace", "prod", "--json").
		want(t, 0, "made a key for agent bot", "its fingerprint: SHA256:", "logged in as agent bot at "+url+"\n")
	if f.init.Hostname != "bob's box" || f.init.Namespace != "prod" || strings.Contains(r.stderr, "cortex agent add") {
		t.Errorf("%+v\n%s", f.init, r.stderr)
	}
	var last map[string]any
	if lines := strings.Split(strings.TrimSpace(r.stdout), "\n"); json.Unmarshal([]byte(lines[len(lines)-1]), &last) != nil || last["proved"] != true || last["expires_at"] != nil {
		t.Errorf("stdout %s", r.stdout)
	}
	dir := identity.Dir()
	key, err := identity.Load(identity.Path(dir, "bot"), "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	if s, token, err := identity.OpenSession(dir, key); err != nil || !s.Proved || s.ServerURL != url || len(token.Reveal()) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if text, _ := os.ReadFile(identity.SessionPath(dir)); strings.Contains(string(text), "token") {
		t.Errorf("%s", text)
	}

	// Who comes with less at the same place afterwards is not believed, also after
	// a logout.
	h.run("daemon", "logout").want(t, 0)
	f.bare = true
	h.run("daemon", "login", "--agent-id", "bot", "--url", url).want(t, 1, "somebody may stand between", "hint: ", identity.ProvedPath(dir, "bot"))
	if _, err := os.Stat(identity.SessionPath(dir)); err == nil {
		t.Error("a session was written")
	}
	h.run("daemon", "login", "--agent-id", "other", "--url", url).want(t, 0, "goes without one")
	h.run("daemon", "login", "--agent-id", "bot", "--url", url, "--device-name", "a|b").want(t, 2, "device-name")
}

func TestLoginFails(t *testing.T) {
	h := newHost(t)
	for name, row := range map[string]struct {
		authorize, token http.HandlerFunc
		texts            []string
	}{
		"no such route": {answers(404, ``), nil, []string{"404"}},
		"wrong agent":   {answers(200, authorized), answers(200, approved("other")), []string{"approved for agent other, not for bot", "hint: "}},
		"no JWT":        {answers(200, authorized), answers(200, `{"access_token":"x"}`), []string{"access token"}},
		"denied":        {answers(200, authorized), answers(400, `{"error":"access_denied","error_code":"access_denied"}`), []string{"the approver said no"}},
		"expired":       {answers(200, authorized), answers(400, `{"error":"expired_token","error_code":"expired_token"}`), []string{"nobody approved", "type the same command again"}},
		"unknown code":  {answers(200, authorized), answers(401, `{"error":"unknown device code"}`), []string{"unknown device code", "hint: "}},
		"bad page":      {answers(200, `{"device_code":"d","user_code":"c","verification_uri":"javascript:x"}`), nil, []string{"verification_uri"}},
	} {
		routes := map[string]http.HandlerFunc{"POST /device/authorize": row.authorize}
		if row.token != nil {
			routes["POST /device/token"] = row.token
		}
		h.run("daemon", "login", "--agent-id", "bot", "--url", serve(t, routes)).want(t, 1, row.texts...)
		if _, err := os.Stat(identity.SessionPath(identity.Dir())); err == nil {
			t.Errorf("%s: a session was written", name)
		}
	}
	h.run("daemon", "login", "--agent-id", "bot", "--url", "http://v.example").want(t, 1, "plain http")
	os.Chmod(identity.Path(identity.Dir(), "bot"), 0o644)
	h.run("daemon", "login", "--agent-id", "bot", "--url", "https://v.example").want(t, 1, "chmod 600")
}

func TestLoginInterrupted(t *testing.T) {
	h := newHost(t)
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, map[string]http.HandlerFunc{
		"POST /device/authorize": answers(200, authorized),
		"POST /device/token": func(w http.ResponseWriter, r *http.Request) {
			cancel()
			answers(401, `{"error":"x","error_code":"authorization_pending"}`)(w, r)
		},
	})
	r := h.runContext(ctx, "daemon", "login", "--agent-id", "bot", "--url", url).want(t, 130, "cortex: interrupted\n")
	if strings.Contains(r.stderr, "hint") {
		t.Errorf("stderr %s", r.stderr)
	}
	if _, err := os.Stat(identity.SessionPath(identity.Dir())); err == nil {
		t.Error("a session was written")
	}
}

func TestStatusOfAFile(t *testing.T) {
	h := newHost(t)
	if r := h.run("daemon", "status").want(t, 0); !strings.Contains(r.stdout, "not running") || !strings.Contains(r.stdout, "none (cortex daemon login") {
		t.Errorf("stdout %s", r.stdout)
	}
	h.write(identity.SessionPath(identity.Dir()), `{"access_token":"`+accessToken("bot")+`","expires_in":3600,"server_url":"https://v.example"}`)
	r := h.run("daemon", "status").want(t, 0)
	if !strings.Contains(r.stdout, "agent bot at https://v.example, until 2024-04-27T21:00:00Z (over") {
		t.Errorf("stdout %s", r.stdout)
	}
	j := h.run("daemon", "status", "--json").want(t, 0)
	var s status
	if err := json.Unmarshal([]byte(j.stdout), &s); err != nil || s.Running || !s.LoggedIn || s.AgentID != "bot" || s.ExpiresAt == nil {
		t.Errorf("%s, %v", j.stdout, err)
	}
	if strings.Contains(r.stdout+j.stdout, accessToken("bot")) {
		t.Error("the token was shown")
	}
	os.Chmod(identity.SessionPath(identity.Dir()), 0o644)
	h.run("daemon", "status").want(t, 1, "chmod 600")
}

// daemonSays answers one status request on a socket with a line.
func daemonSays(t *testing.T, sock, line string) {
	t.Helper()
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			buf := make([]byte, 100)
			n, _ := conn.Read(buf)
			if string(buf[:n]) != `{"cmd":"status"}`+"\n" {
				t.Errorf("asked %q", buf[:n])
			}
			conn.Write([]byte(line + "\n"))
			conn.Close()
		}
	}()
}

func TestStatusOfADaemon(t *testing.T) {
	h := newHost(t)
	sock := filepath.Join(h.home, "s")
	// As a daemon of the older kind answers: with its whole session.
	daemonSays(t, sock, `{"ok":true,"session":{"access_token":"`+accessToken("bot")+`"},"attest_session_id":"sess-1","agent_id":"bot","server_url":"https://v.example"}`)
	r := h.run("daemon", "status", "--sock", sock).want(t, 0)
	if !strings.Contains(r.stdout, "running, session sess-1") || !strings.Contains(r.stdout, "agent bot at https://v.example") {
		t.Errorf("stdout %s", r.stdout)
	}
	t.Setenv("CORTEX_DAEMON_SOCK", sock)
	j := h.run("daemon", "status", "--json").want(t, 0)
	var s status
	if err := json.Unmarshal([]byte(j.stdout), &s); err != nil || !s.Running || s.LoggedIn || s.AttestSessionID != "sess-1" || s.Sock != sock {
		t.Errorf("%s, %v", j.stdout, err)
	}
	if strings.Contains(r.stdout+j.stdout, accessToken("bot")) {
		t.Error("the token was shown")
	}
}

func TestStatusInFull(t *testing.T) {
	h := newHost(t)
	sock := filepath.Join(h.home, "s")
	daemonSays(t, sock, `{"ok":true,"session":null,"attest_session_id":"","expires_at":"","agent_id":"bot","server_url":"https://v.example","problem":"the server \u001b[2J is away","pid":4242,"version":"v1","runs":3,"projects":[{"name":"app","expires_at":"2026-01-01T00:00:00Z"},{"name":"web","grant_id":"g-1"}],"failures":[{"at":"2026-01-01T00:00:00Z","error":"it \u001b[2J failed"}],"hardening":[{"name":"core dumps","ok":true,"detail":"off"},{"name":"swap","ok":false,"detail":"/dev/sda2 is in use"}]}`)
	r := h.run("daemon", "status", "--sock", sock).want(t, 0)
	want := "daemon:    running (pid 4242, version v1), no session with the server\n" +
		"socket:    " + sock + "\n" +
		"login:     agent bot at https://v.example, deleted here; the daemon keeps it until it stops\n" +
		`problem:   "the server \x1b[2J is away"` + "\n" +
		"programs:  3 running\n" +
		"project:   app, token until 2026-01-01T00:00:00Z\n" +
		"project:   web, waits for approval: cortex grant approve g-1\n" +
		`failure:   2026-01-01T00:00:00Z "it \x1b[2J failed"` + "\n" +
		"hardening: core dumps; MISSING: swap (/dev/sda2 is in use)\n"
	if r.stdout != want {
		t.Errorf("got\n%swant\n%s", r.stdout, want)
	}
	j := h.run("daemon", "status", "--sock", sock, "--json").want(t, 0)
	var s status
	if err := json.Unmarshal([]byte(j.stdout), &s); err != nil || s.Runs == nil || *s.Runs != 3 || s.PID != 4242 || len(s.Hardening) != 2 || s.Problem == "" {
		t.Errorf("%s, %v", j.stdout, err)
	}
}

func TestStatusOfABrokenDaemon(t *testing.T) {
	h := newHost(t)
	for i, line := range []string{`{"ok":false,"error":"x"}`, "nonsense", strings.Repeat("a", maxStatus)} {
		sock := filepath.Join(h.home, fmt.Sprint(i))
		daemonSays(t, sock, line)
		if r := h.run("daemon", "status", "--sock", sock).want(t, 0); !strings.Contains(r.stdout, "not running") {
			t.Errorf("%.20s: %s", line, r.stdout)
		}
	}
}

func TestStatusOfASilentDaemon(t *testing.T) {
	h := newHost(t)
	busy := filepath.Join(h.home, "busy")
	daemonSays(t, busy, `{"ok":false,"error_code":"busy","error":"too many"}`)
	hangs := filepath.Join(h.home, "hangs")
	l, err := net.Listen("unix", hangs) // and nobody accepts
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for sock, problem := range map[string]string{busy: "too many", hangs: "does not answer"} {
		r := h.run("daemon", "status", "--sock", sock).want(t, 0)
		if !strings.Contains(r.stdout, fmt.Sprintf("running (pid %d), but", os.Getpid())) || strings.Contains(r.stdout, "start it") || !strings.Contains(r.stdout, problem) {
			t.Errorf("stdout %s", r.stdout)
		}
	}
}

func TestLogout(t *testing.T) {
	h := newHost(t)
	if r := h.run("daemon", "logout").want(t, 0); r.stdout+r.stderr != "" {
		t.Errorf("%q %q", r.stdout, r.stderr)
	}
	path := h.write(identity.SessionPath(identity.Dir()), "{}")
	told := fmt.Sprintf(`{"session_file":%q,"deleted":true,"server_told":false,"daemon_told":false}`+"\n", path)
	if r := h.run("daemon", "logout", "--json").want(t, 1, "deleted "+path, "the server was not told", "cortex device remove AGENT"); r.stdout != told {
		t.Errorf("stdout %q, want %q", r.stdout, told)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("still there")
	}

	ended := ""
	answer := answers(200, `{"deleted":true,"rows":1}`)
	url := serve(t, map[string]http.HandlerFunc{
		"POST /device/authorize": answers(200, authorized),
		"POST /device/token":     answers(200, approved("bot")),
		"POST /device/logout": func(w http.ResponseWriter, r *http.Request) {
			ended = r.Header.Get("Authorization")
			answer(w, r)
		},
	})
	for name, row := range map[string]struct {
		answer http.HandlerFunc
		status int
		texts  []string
	}{
		"ended":         {answers(200, `{"deleted":true,"rows":1}`), 0, nil},
		"ended before":  {answers(401, `{"error":"x","error_code":"unauthorized"}`), 0, nil},
		"no such route": {answers(404, ``), 1, []string{"404", "cortex device remove bot --url " + url}},
		"has no time":   {answers(503, `{"error":"sealed","error_code":"sealed"}`), 1, []string{"sealed"}},
		"some nonsense": {answers(200, `<html>`), 1, []string{"not an answer"}},
	} {
		answer, ended = row.answer, ""
		h.run("daemon", "login", "--agent-id", "bot", "--url", url).want(t, 0)
		h.run("daemon", "logout").want(t, row.status, append(row.texts, "deleted "+path)...)
		if _, err := os.Stat(path); err == nil || ended != "Bearer "+accessToken("bot") {
			t.Errorf("%s: %v, %q", name, err, ended)
		}
	}
}
