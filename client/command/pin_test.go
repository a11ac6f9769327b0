package command

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

const askedPin = `{"id":"919d0000-0000-4000-8000-000000000001","project_name":"app","namespace":"default","status":"asked","agent_id":"bot",` +
	`"command":{"program":"/usr/bin/python3","program_sha256":"aa","args":["deploy.py","a b","\u001b[2J"],"files":[{"arg":0,"path":"/srv/deploy.py","sha256":"bb"}],"dir":"/srv","weak":["file:0"]},` +
	`"weakness":["whoever starts it can change deploy.py"],"first_asked":"2026-04-27 18:40:00","last_asked":"2026-04-27 18:40:00","decided_at":null,"decided_by":null,"source_ip":"192.0.2.7"}`

// An argument looks like no row of its own, on a terminal of whatever width, and a list says
// that it shows a part.
func TestPinArguments(t *testing.T) {
	h := newHost(t)
	t.Setenv("ADMIN_TOKEN", "x")
	const rule = `"pin":{"program":"/bin/true","args":["a  b"],"dirs":["/a or /b","/c"],"env":["A B"]},`
	args := `"x` + strings.Repeat(" ", 66) + `status       approved","a\u00a0b","","a'b","\u2800","last"`
	pin := strings.Replace(strings.Replace(askedPin, `"deploy.py","a b","\u001b[2J"`, args, 1), `"weakness"`, rule+`"weakness"`, 1)
	t.Setenv("CORTEX_URL", serve(t, map[string]http.HandlerFunc{
		"/admin/projects/app/pins": answers(200, "["+pin+"]"),
		"/admin/pending-grants":    answers(200, `[{"id":"1","project_name":"app","status":"pending","command":`+pin[strings.Index(pin, `{"program"`):strings.Index(pin, `,"pin"`)]+`}]`),
	}))
	for _, line := range [][]string{{"pin", "show", "app", "919d0000"}, {"grant", "show", "app"}} {
		r := h.run(line...).want(t, 0)
		for _, text := range []string{`argument 1  "x \x20\x20`, `status \x20\x20\x20\x20\x20\x20approved"` + "\n", `argument 2  "a\u00a0b"` + "\n", `argument 3  ""` + "\n", `argument 4  "a'b"` + "\n", `argument 5  "\u2800"` + "\n", "argument 6  last\n"} {
			if !strings.Contains(strings.ReplaceAll(r.stdout, "   ", "  "), text) {
				t.Errorf("%q: no %s in %s", line, text, r.stdout)
			}
		}
	}
	if r := h.run("pin", "show", "app", "919d0000").want(t, 0); !strings.Contains(r.stdout, `"/bin/true 'a \x20b'"`+"\n") || !strings.Contains(r.stdout, `"/a or /b" or /c`+"\n") || !strings.Contains(r.stdout, `"A B"`+"\n") {
		t.Error(r.stdout)
	}
	for _, line := range [][]string{{"pin", "list", "app"}, {"grant", "list"}} {
		if r := h.run(line...).want(t, 0); !strings.Contains(r.stdout, `'x \x20\x20`) || !strings.Contains(r.stdout, "… (35 more)") {
			t.Errorf("%q: %s", line, r.stdout)
		}
	}
}

// What is approved of a command is what was typed, and it is said where it is weak.
func TestPinApprove(t *testing.T) {
	h := newHost(t)
	t.Setenv("ADMIN_TOKEN", "x")
	var bodies []string
	t.Setenv("CORTEX_URL", serve(t, map[string]http.HandlerFunc{
		"/admin/projects/app/pins": answers(200, "["+askedPin+"]"),
		"/admin/projects/app/pins/919d0000-0000-4000-8000-000000000001/approve": func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies = append(bodies, string(body))
			io.WriteString(w, strings.Replace(askedPin, "asked", "approved", 1))
		},
	}))
	r := h.run("pin", "approve", "app", "919d0000", "--any-args", "--dir", "/work/**", "--env", "X").want(t, 0)
	if !strings.Contains(r.stderr, "project app may run ") || !strings.Contains(r.stderr, "warning: weak: whoever starts it can change deploy.py") || strings.ContainsFunc(r.stderr, obeyed) {
		t.Errorf("said %q", r.stderr)
	}
	h.run("pin", "approve", "app", "--all").want(t, 0)
	h.run("pin", "approve", "app", "919d0000", "919d0000-0000", "919d0000").want(t, 0)
	h.run("pin", "approve", "app", "919d000").want(t, 1)
	h.run("pin", "approve", "app", "919d0000", "--all").want(t, 2)
	if want := `{"args":["deploy.py","**"],"dirs":["/work/**"],"env":["X"]}`; len(bodies) != 5 || strings.TrimSpace(bodies[0]) != want || strings.TrimSpace(bodies[1]) != "{}" {
		t.Errorf("sent %q, want %s and {}", bodies, want)
	}
	r = h.run("pin", "show", "app", "919d0000").want(t, 0)
	for _, text := range []string{"argument 1   deploy.py\n", "argument 2   \"a b\"\n", `argument 3   "\x1b[2J"`, "/srv/deploy.py", "whoever starts it can change deploy.py"} {
		if !strings.Contains(r.stdout, text) {
			t.Errorf("no %q in %q", text, r.stdout)
		}
	}
}
