package redteam

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

var maliciousMoves = moves{
	"server-values":      serverValues,
	"server-other-names": serverOtherNames,
	"server-key":         serverKey,
	"server-huge":        serverHuge,
	"server-escapes":     serverEscapes,
}

// giving has the server that a station is logged in to give other values.
func (m *meddler) giving(change func(vars map[string]any)) {
	m.answering(func(l letter, r *http.Response) error {
		if !strings.HasPrefix(l.URI, "/project/secrets/") {
			return nil
		}
		var answer map[string]any
		if err := json.NewDecoder(r.Body).Decode(&answer); err != nil {
			return err
		}
		r.Body.Close()
		if vars, ok := answer["env_vars"].(map[string]any); ok {
			change(vars)
		}
		body := marshal(answer)
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Length", strconv.Itoa(len(body)))
		return nil
	})
}

func serverValues(t *testing.T) outcome {
	w := watched()
	other := canary()
	w.giving(func(vars map[string]any) { vars[w.variable] = other })
	defer w.answering(nil)
	w.refresh(t)
	return unless(w.gets(t, w.site, w.variable, other), stopped)
}

// refresh has the daemon ask anew.
func (m *meddler) refresh(t *testing.T) {
	t.Helper()
	m.site.Admin(t, http.MethodPost, "/admin/projects/app/revoke", nil, nil)
}

// Variables by which a program can be made to do something else.
func serverOtherNames(t *testing.T) outcome {
	w := watched()
	names := []string{"LD_PRELOAD", "BASH_ENV", "PATH", "NODE_OPTIONS", "CANARY_OF_THE_SERVER"}
	value := canary()
	w.giving(func(vars map[string]any) {
		for _, name := range names {
			vars[name] = "/" + value
		}
	})
	defer w.answering(nil)
	w.refresh(t)
	file := filepath.Join(w.station.dir, named("env"))
	_, stderr, err := w.run(w.variable, "/bin/sh", "-c", `/usr/bin/env > "$1"`, "sh", file)
	if err != nil {
		t.Fatalf("%v %s", err, stderr)
	}
	env := string(read(t, file))
	if !strings.Contains(env, w.variable+"=") {
		t.Fatal("not even what was asked for is there")
	}
	return unless(strings.Contains(env, value), stopped)
}

// All that the server was told, from the log-in on.
func serverKey(t *testing.T) outcome {
	w := watched()
	var all bytes.Buffer
	for _, l := range w.all() {
		all.WriteString(l.URI)
		all.Write(l.Body)
		l.Header.Write(&all)
	}
	text := strings.TrimSpace(string(read(t, filepath.Join(w.station.dir, ".cortex", "agent-"+w.station.agent+".key"))))
	seed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(seed) != 32 {
		t.Fatalf("a key of %d bytes, %v", len(seed), err)
	}
	if !holds(all.Bytes(), w.station.agent) || len(w.seen("/device/authorize")) == 0 {
		t.Fatal("not even who asks is known")
	}
	return unless(holds(all.Bytes(), text) || holds(all.Bytes(), string(seed)), stopped)
}

// An answer that goes on and on.
func serverHuge(t *testing.T) outcome {
	w := watched()
	const most = 1 << 30
	sent := make(chan int64, 1)
	w.with(func(rw http.ResponseWriter, l *letter) bool {
		if !strings.HasPrefix(l.URI, "/project/secrets/") {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		io.WriteString(rw, `{"env_vars":{"`+w.variable+`":"`)
		n, _ := io.Copy(rw, io.LimitReader(endless('a'), most))
		select {
		case sent <- n:
		default:
		}
		return true
	})
	defer w.with(nil)
	w.refresh(t)
	if w.gets(t, w.site, w.variable, w.value) {
		t.Fatal("the answer was not used")
	}
	used := peak(t, w.daemon.Cmd.Process.Pid)
	n := <-sent
	t.Logf("%d bytes were taken, and %d KiB at most used", n, used)
	return unless(n >= most || used > 300<<10, stopped)
}

// endless is a reader of one letter.
type endless byte

func (e endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(e)
	}
	return len(b), nil
}

// peak is how much memory a process has had at most, in KiB.
func peak(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	n, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What the server says of an error goes to a person's terminal.
func serverEscapes(t *testing.T) outcome {
	w := watched()
	const escape = "\x1b]52;c;Y2FuYXJ5\x07\x1b[31mred\u202e\u0085"
	w.with(func(rw http.ResponseWriter, l *letter) bool {
		if l.URI == "/daemon/events" {
			return false
		}
		rw.Header().Set("Content-Type", "application/json")
		rw.WriteHeader(http.StatusForbidden)
		rw.Write(marshal(object{"error": "canary " + escape, "error_code": "forbidden"}))
		return true
	})
	defer w.with(nil)
	w.refresh(t)
	_, fromRun, err1 := w.run(w.variable, "true")
	_, fromVerb, err2 := w.cortex("seal-status", "--url", w.station.url)
	if err1 == nil || err2 == nil || !strings.Contains(fromRun, "canary") || !strings.Contains(fromVerb, "canary") {
		t.Fatalf("the words of the server are not shown: %q, %q", fromRun, fromVerb)
	}
	return unless(strings.ContainsAny(fromRun+fromVerb, "\x1b\x07\u202e\u0085"), stopped)
}
