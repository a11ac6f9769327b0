package blackbox

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// ask sends a daemon one line and reads one, as the older command line does.
func (c oldCLI) ask(sock string, request object) (o object) {
	c.v.t.Helper()
	conn, err := net.Dial("unix", sock)
	if err != nil {
		c.v.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(append(asJSON(c.v.t, request), '\n')); err != nil {
		c.v.t.Fatal(err)
	}
	if err := json.NewDecoder(conn).Decode(&o); err != nil {
		c.v.t.Fatal(err)
	}
	return o
}

// A host where the older programs were used gets the new daemon, and keeps its
// files and its command line.
func TestOldCommandLineWithANewDaemon(t *testing.T) {
	each(t, func(v *vault) {
		l := v.begin()
		l.logIn(1)
		env := []string{"HOME=" + l.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + l.home}
		d, err := launch(l.home, "cortex-daemon", "X_CORTEX_SOCK", env)
		if err != nil {
			v.t.Fatal(err)
		}
		v.t.Cleanup(d.kill)
		if sock := l.file("agent.sock"); d.url != sock {
			v.t.Fatalf("it listens at %s, not at %s", d.url, sock)
		}
		l.talks(d.url)
		if text, err := os.ReadFile(l.file("daemon-session.json")); err != nil || strings.Contains(string(text), `"access_token"`) {
			v.t.Errorf("the access token lies there in clear: %v", err)
		}
	})
}

// talks has a command line's requests answered.
func (l *life) talks(sock string) {
	l.v.t.Helper()
	file, out := filepath.Join(l.home, "app.env"), filepath.Join(l.home, "out")
	l.write(file, []byte(l.env()))
	run := func(program string, args ...string) object {
		return object{"cmd": "run", "program": program, "args": args, "project": l.app, "url": l.v.url, "env_file": file}
	}
	pending := l.ask(sock, run("true"))
	has(l.v.t, pending, object{"ok": false, "error_code": "pending_approval"})
	if keys, _ := pending["requested_keys"].([]any); len(keys) != 2 || pending["message"] == "" {
		l.v.t.Errorf("%v", pending)
	}
	l.v.approve(pending["grant_id"])
	has(l.v.t, l.ask(sock, run("sh", "-c", "printenv "+strings.ToUpper(l.key)+" >"+out+"; exit 7")), object{"ok": true, "exit_code": 7})
	if text, err := os.ReadFile(out); err != nil || string(text) != "sk-1\n" {
		l.v.t.Errorf("%q, %v", text, err)
	}
	without := run("true")
	delete(without, "url")
	delete(without, "args")
	has(l.v.t, l.ask(sock, without), object{"ok": true, "exit_code": 0})
	for _, bad := range []object{{"cmd": "nothing"}, {"cmd": "run", "program": "true"}, {"cmd": "run", "program": "true", "project": l.app, "env_file": file + "2", "url": nil}} {
		if got := l.ask(sock, bad); got["ok"] != false || got["error"] == "" {
			l.v.t.Errorf("%v: %v", bad, got)
		}
	}
	status := l.ask(sock, object{"cmd": "status"})
	has(l.v.t, status, object{"ok": true, "agent_id": l.agentID, "server_url": l.v.url})
	if text := string(asJSON(l.v.t, status)); status["attest_session_id"] == "" || strings.Contains(text, "access_token") {
		l.v.t.Errorf("%s", text)
	}
}
