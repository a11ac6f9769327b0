package blackbox

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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

// upgrade starts the new daemon on a host where the older programs were used,
// and returns its socket.
func (l *life) upgrade() string {
	l.v.t.Helper()
	d, err := launch(l.home, "cortex-daemon", "X_CORTEX_SOCK", []string{"HOME=" + l.home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + l.home})
	if err != nil {
		l.v.t.Fatal(err)
	}
	l.v.t.Cleanup(d.Kill)
	if sock := l.file("agent.sock"); d.url != sock {
		l.v.t.Fatalf("it listens at %s, not at %s", d.url, sock)
	}
	return d.url
}

// A host where the older programs were used gets the new daemon, and keeps its
// files and its command line.
func TestOldCommandLineWithANewDaemon(t *testing.T) {
	each(t, func(v *vault) {
		l := v.begin()
		l.logIn(1)
		l.talks(l.upgrade())
		if text, err := os.ReadFile(l.file("daemon-session.json")); err != nil || strings.Contains(string(text), `"access_token"`) {
			v.t.Errorf("the access token lies there in clear: %v", err)
		}
	})
}

// Clients that say nothing, as many as there may be, take nobody's place for
// long.
func TestSilentClients(t *testing.T) {
	each(t, func(v *vault) {
		l := v.begin()
		l.logIn(1)
		sock := l.upgrade()
		var silent []net.Conn
		for range 64 {
			conn, err := net.Dial("unix", sock)
			if err != nil {
				v.t.Fatal(err)
			}
			defer conn.Close()
			io.WriteString(conn, `{"cmd":"sta`)
			silent = append(silent, conn)
		}
		for _, conn := range silent {
			conn.SetReadDeadline(time.Now().Add(patience))
			if answer, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(answer), `{"ok":false`) {
				v.t.Fatalf("%q, %v", answer, err)
			}
		}
		has(v.t, l.ask(sock, object{"cmd": "status"}), object{"ok": true})
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
