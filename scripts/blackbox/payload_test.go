package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"unicode"
)

// payloads are what somebody may try to have shown to somebody else.
var payloads = []string{
	`<script>alert('1')</script>`,
	`x" onmouseover="alert(1)" y='`,
	`</script><img src=x onerror=alert(1)>`,
	"'\"`\\",
	`{{constructor}}${7*7}<%= 1 %>`,
	`@everyone <!channel> [a](https://evil.example)`,
	"one\ntwo\r\n\tlevel=ERROR msg=three",
	"invoice\u202egpj.exe",
	"a\u2066b\u2069c",
	"a\x00b",
	"\x1b[2J\x1b]0;title\x07",
	"ro\u200bot",
	"\ufeffroot",
	"a\u2028b",
	"a\u009bb",
	strings.Repeat("n", 128),
	strings.Repeat("n", 5000),
	"Schlüssel 漢字 😀",
}

// tricky reports whether a text shows other than it is, to whoever reads it
// in a list or at a terminal.
func tricky(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp))
	})
}

// A payload that is put into every text there is, is refused, or is what
// everybody reads afterwards: in JSON and nowhere else.
func TestPayloadsAreInert(t *testing.T) {
	own(t, func(s *server) {
		s.now.stop(s.t)
		s.start("CORTEX_RATE_LIMITS=off")
		s.admin("POST", "/admin/allowed-daemon-versions", object{"binary_sha256": sum([]byte("daemon"))}).want(http.StatusCreated)
		st := s.staged()
		s.describe(st)
		kept := s.try(st)
		shown := strings.ToLower(strings.Join(s.shown(st.app), "\n\n"))
		for text, field := range kept {
			if !strings.Contains(shown, strings.ToLower(text)) {
				s.t.Errorf("%s: %q is shown nowhere", field, text)
			}
		}
		s.now.stop(s.t)
		for line := range strings.Lines(s.now.Log()) {
			if !strings.HasPrefix(line, "time=") || tricky(line) {
				s.t.Errorf("logged %q", line)
			}
		}
	})
}

// A value is whatever people have to keep. It arrives as it was.
func TestValuesArriveAsTheyAre(t *testing.T) {
	each(t, func(v *vault) {
		a, env, want := v.enrolled(v.named("bot")), "", object{}
		for i, text := range append(payloads, "", " x ", "line\n", `{"a":"\u0000"}`) {
			path := v.named("value") + fmt.Sprint(i)
			made := v.admin("POST", "/admin/secrets", object{"key_path": path, "secret_type": "KEY_VALUE", "value": text})
			if strings.Contains(text, "\x00") { // no program could be started with it
				made.wantError(http.StatusBadRequest)
				continue
			}
			id := made.want(http.StatusCreated).object()["id"].(string)
			has(v.t, v.admin("GET", "/admin/secrets/"+id, nil).want(http.StatusOK).object(), object{"value": text})
			env, want[variable(path)] = env+variable(path)+"\n", text
		}
		got := a.values(v.named("app"), a.obtain(v.named("app"), env)["project_token"])
		if has(v.t, got, want); len(got) != len(want) {
			v.t.Errorf("%d values, want %d", len(got), len(want))
		}
	})
}

// try sends every payload to every field and route, side by side, and returns
// those that a field took, and which.
func (s *server) try(st *stage) map[string]string {
	s.t.Helper()
	var mu sync.Mutex // guards kept
	kept := map[string]string{}
	var all sync.WaitGroup
	for field, store := range fields(s.vault, st) {
		all.Go(func() {
			for _, text := range payloads {
				if s.took(store(text), field, text) {
					mu.Lock()
					kept[text] = field
					mu.Unlock()
				}
			}
		})
	}
	for _, route := range parameters {
		all.Go(func() {
			for _, text := range payloads {
				s.took(s.asks(route, text), route, text)
			}
		})
	}
	all.Wait()
	return kept
}

// took reports whether a field took a text. It must not take one that shows
// other than it is, unless it only looks for it.
func (s *server) took(a answer, field, text string) bool {
	s.t.Helper()
	took := a.status/100 == 2
	if took && tricky(text) && !strings.HasPrefix(field, "GET ") || a.status >= 500 {
		s.t.Errorf("%s, %q: %d %s", field, text, a.status, a.body)
	}
	return took
}

// shown returns every text that an administrator can be shown.
func (s *server) shown(project string) (texts []string) {
	s.t.Helper()
	for _, list := range []string{
		"secrets", "secrets?deleted=true", "agents", "policies", "namespaces", "projects", "projects/" + project + "/grants", "pending-grants", "freezes", "devices",
		"daemon-sessions", "allowed-daemon-versions", "users", "confirmations", "notification-channels", "audit-logs",
	} {
		a := s.admin("GET", "/admin/"+list, nil).want(http.StatusOK)
		if a.header.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
			s.t.Errorf("%s: %v", list, a.header)
		}
		var v any
		a.into(&v)
		texts = append(texts, leaves(v)...)
	}
	for _, text := range texts {
		if tricky(text) {
			s.t.Errorf("shown %q", text)
		}
	}
	for _, page := range []string{"/device", "/device?user_code=" + url.QueryEscape(payloads[0]), "/metrics"} {
		if text := string(s.admin("GET", page, nil).want(http.StatusOK).body); strings.Contains(text, "alert(") {
			s.t.Errorf("%s: %s", page, text)
		}
	}
	return texts
}

// leaves returns all texts in a JSON value, names too.
func leaves(v any) (texts []string) {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		for _, e := range v {
			texts = append(texts, leaves(e)...)
		}
	case object:
		for name, e := range v {
			texts = append(append(texts, name), leaves(e)...)
		}
	}
	return texts
}

// describe has hosts say of themselves what they like. A fetch goes on without
// what is no text; a daemon that is no text is not let in.
func (s *server) describe(st *stage) {
	s.t.Helper()
	token := st.obtain(st.app, st.env())["project_token"]
	for _, text := range payloads {
		if len(text) < 1000 && !strings.ContainsFunc(text, unicode.IsControl) { // or HTTP could not carry it
			st.fetch(st.app, token, calledBy(text)...).want(http.StatusOK)
		}
		a := s.register(hexNonce(8))
		a.logIn()
		body := object{"attestation_pub": public(newKey(s.t)), "binary_sha256": sum([]byte("daemon")), "daemon_version": text, "hostname": text}
		status := http.StatusOK
		if tricky(text) || strings.Contains(text, "\n") || len(text) > 1000 {
			status = http.StatusBadRequest
		}
		a.send("POST", "/daemon/attest", body, "Authorization: Bearer "+a.login).want(status)
	}
}

// calledBy are the headers that describe a caller, all with one text.
func calledBy(text string) (headers []string) {
	for _, name := range []string{"Caller-Pid", "Caller-Binary-Sha256", "Caller-Argv-Hash", "Caller-Cwd", "Caller-Git-Commit", "Hostname", "Os"} {
		headers = append(headers, "X-Cortex-"+name+": "+text)
	}
	return headers
}
