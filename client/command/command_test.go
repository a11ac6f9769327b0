package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	"github.com/cortex-auth/cortex/client"
	"github.com/cortex-auth/cortex/client/identity"
	"github.com/cortex-auth/cortex/client/prompt"
	"github.com/cortex-auth/cortex/vault/proof"
)

// A host is a machine to type commands on: an empty home and no environment
// of ours.
type host struct {
	t    *testing.T
	home string
}

func newHost(t *testing.T) host {
	t.Helper()
	h := host{t, t.TempDir()}
	t.Setenv("HOME", h.home)
	for _, name := range []string{"CORTEX_HOME", "CORTEX_DAEMON_SOCK", "CORTEX_URL", "CORTEX_PROJECT", "CORTEX_ENV_FILE", "CORTEX_AGENT_ID", "CORTEX_PRIV_KEY_FILE", "DISPLAY", "WAYLAND_DISPLAY"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("SSH_CONNECTION", "x") // no browser on darwin either
	t.Chdir(t.TempDir())
	return h
}

// A result is what a command left on the terminal.
type result struct {
	stdout, stderr string
	status         int
	err            error
}

func (h host) run(args ...string) result { return h.runContext(h.t.Context(), args...) }

func (h host) runContext(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	args = append([]string{"cortex"}, args...)
	verbs := append(Verbs(args), Verb{"daemon", Daemon})
	root := Strict(&cli.Command{Name: "cortex", Writer: &stdout, ErrWriter: &stderr, Commands: Needed(args, verbs...)})
	err := root.Run(ctx, args)
	Report(&stderr, err)
	return result{stdout.String(), stderr.String(), Status(err), err}
}

// want checks the status and that stderr holds each text.
func (r result) want(t *testing.T, status int, texts ...string) result {
	t.Helper()
	if r.status != status {
		t.Errorf("status %d, want %d\nstdout: %s\nstderr: %s", r.status, status, r.stdout, r.stderr)
	}
	for _, text := range texts {
		if !strings.Contains(r.stderr, text) {
			t.Errorf("stderr lacks %q:\n%s", text, r.stderr)
		}
	}
	return r
}

func (h host) write(path, content string) string {
	h.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		h.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return path
}

// serve starts a server; each route answers with a handler.
func serve(t *testing.T, routes map[string]http.HandlerFunc) string {
	t.Helper()
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.HandleFunc(pattern, h)
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

func answers(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestUsageErrors(t *testing.T) {
	h := newHost(t)
	for _, row := range []struct {
		args []string
		text string
	}{
		{[]string{"gen-key"}, "agent-id"},
		{[]string{"gen-key", "--agent-id"}, "agent-id"},
		{[]string{"gen-key", "--agent-id", "a", "--no-such"}, "no-such"},
		{[]string{"gen-key", "--agent-id", "a", "extra"}, `unexpected argument "extra"`},
		{[]string{"sign-proof", "--agent-id", "a"}, "priv-key-file"},
		{[]string{"discover", "--project", "p"}, "not set"},
		{[]string{"discover", "--project", "../p", "--url", "https://v", "--agent-id", "a"}, "bad project name"},
		{[]string{"no-such"}, `unknown command "no-such"`},
		{[]string{"daemon", "no-such"}, `unknown command "no-such"`},
		{[]string{"daemon", "login", "--agent-id", "a"}, "url"},
		{[]string{"daemon", "login", "--agent-id", "a.b", "--url", "https://v"}, "bad agent id"},
		{[]string{"daemon", "login", "--agent-id", "a", "--url", "https://v", "--namespace", ".."}, "bad namespace"},
		{[]string{"daemon", "status", "x"}, "unexpected argument"},
		{[]string{"daemon", "logout", "x"}, "unexpected argument"},
	} {
		r := h.run(row.args...).want(t, 2, row.text, "hint: ", "--help")
		if r.stdout != "" || strings.Count(r.stderr, "\n") != 2 {
			t.Errorf("%v: stdout %q, stderr %q", row.args, r.stdout, r.stderr)
		}
	}
	if entries, _ := os.ReadDir(h.home); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestHelp(t *testing.T) {
	h := newHost(t)
	for _, args := range [][]string{
		{"--help"},
		{"help"},
		{"help", "discover"},
		{"gen-key", "-h"},
		{"sign-proof", "--help"},
		{"discover", "--help"},
		{"daemon", "--help"},
		{"daemon"},
		{"daemon", "login", "--help"},
		{"daemon", "status", "--help"},
		{"daemon", "logout", "--help"},
	} {
		r := h.run(args...).want(t, 0)
		if r.stderr != "" || !strings.Contains(r.stdout, "USAGE") {
			t.Errorf("%v: stdout %q, stderr %q", args, r.stdout, r.stderr)
		}
	}
	for _, cmd := range append(Needed(nil, Verbs(nil)...), DaemonCommands()...) {
		if !strings.Contains(cmd.Description, "Example") || cmd.Usage == "" {
			t.Errorf("%s has no example", cmd.Name)
		}
	}
}

func TestStatusAndReport(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		text   string
	}{
		{nil, 0, ""},
		{errors.New("a: b"), 1, "cortex: a: b\n"},
		{errors.Join(errors.New("a"), errors.New("b")), 1, "cortex: a; b\n"},
		{client.WithHint(errors.New("a"), "do b"), 1, "cortex: a\ncortex: hint: do b\n"},
		{fmt.Errorf("x: %w", client.WithHint(errors.New("a"), "do b")), 1, "cortex: x: a\ncortex: hint: do b\n"},
		{&ExitError{Code: 137}, 137, ""},
		{fmt.Errorf("run: %w", &ExitError{Code: 3}), 3, ""},
		{&ExitError{Code: 2, Err: errors.New("a"), Hint: "b"}, 2, "cortex: a\ncortex: hint: b\n"},
		{fmt.Errorf("x: %w", context.Canceled), 130, "cortex: interrupted\n"},
		{fmt.Errorf("x: %w", prompt.ErrInterrupted), 130, "cortex: x: interrupted at the prompt\n"},
	} {
		var out strings.Builder
		Report(&out, row.err)
		if Status(row.err) != row.status || out.String() != row.text {
			t.Errorf("%v: status %d, %q", row.err, Status(row.err), out.String())
		}
	}
}

func TestGenKey(t *testing.T) {
	h := newHost(t)
	r := h.run("gen-key", "--agent-id", "bot").want(t, 0, "private key of agent bot", "cortex agent add bot --key=")
	path := filepath.Join(h.home, ".cortex", "agent-bot.key")
	key, err := identity.Load(path, "bot")
	if err != nil {
		t.Fatal(err)
	}
	defer key.Destroy()
	pub := proof.EncodeKey(key.Public())
	if r.stdout != pub+"\n" || !strings.Contains(r.stderr, pub) || !strings.Contains(r.stderr, path) {
		t.Errorf("stdout %q\nstderr %s", r.stdout, r.stderr)
	}
	before, _ := os.ReadFile(path)
	if strings.Contains(r.stdout+r.stderr, string(before)) {
		t.Error("the private key was printed")
	}
	r = h.run("gen-key", "--agent-id", "bot").want(t, 1, "not overwritten", "hint: ")
	if after, _ := os.ReadFile(path); r.stdout != "" || !bytes.Equal(before, after) {
		t.Error("the key was overwritten")
	}

	other := filepath.Join(h.home, "x", "k")
	t.Setenv("CORTEX_AGENT_ID", "other")
	t.Setenv("CORTEX_PRIV_KEY_FILE", other)
	r = h.run("gen-key", "--json").want(t, 0)
	var out struct {
		AgentID     string `json:"agent_id"`
		AgentPub    string `json:"agent_pub"`
		PrivKeyFile string `json:"priv_key_file"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &out); err != nil || out.AgentID != "other" || len(out.AgentPub) != 43 || out.PrivKeyFile != other {
		t.Errorf("%s, %v", r.stdout, err)
	}
}

func TestSignProof(t *testing.T) {
	h := newHost(t)
	file := h.write(filepath.Join(h.home, "k"), "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8")
	r := h.run("sign-proof", "--agent-id", "bot", "--priv-key-file", file).want(t, 0)
	var p identity.Proof
	if err := json.Unmarshal([]byte(r.stdout), &p); err != nil || strings.Count(r.stdout, "\n") != 1 {
		t.Fatalf("%q, %v", r.stdout, err)
	}
	if err := verifyProof(p, "bot"); err != nil || len(p.Nonce) != 16 {
		t.Errorf("%+v: %v", p, err)
	}
	h.run("sign-proof", "--agent-id", "bot", "--priv-key-file", file+"x").want(t, 1, "no key", "cortex gen-key --agent-id bot")
	os.Chmod(file, 0o644)
	h.run("sign-proof", "--agent-id", "bot", "--priv-key-file", file).want(t, 1, "chmod 600")
}
