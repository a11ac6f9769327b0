package redteam

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

var strangerMoves = moves{
	"enumerate":       enumerate,
	"guess-token":     guessToken,
	"guess-user-code": guessUserCode,
	"bad-bodies":      badBodies,
	"cross-origin":    crossOrigin,
	"metrics":         metricsNames,
}

// enumerate asks in each way that names an agent or a project, for one that there
// is and for one that there is not.
func enumerate(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	variable, _, _ := s.secret(t)
	known, app := s.agent(t), named("app")
	known.Obtain(t, app, variable)
	thief := s.agent(t)
	wrong := func(id string) servertest.Request {
		d := thief.Discovery(app, variable)
		d.AgentID = id
		d.AuthProof = proof.EncodeSignature(ed25519.Sign(thief.Key, proof.AgentMessage(*d.TS, *d.Nonce, id)))
		body := marshal(d)
		return servertest.Request{Method: http.MethodPost, Path: "/agent/discover", Body: body, Header: http.Header{
			"X-Daemon-Attestation": {thief.Sign(http.MethodPost, "/agent/discover", body, proof.AgentTokenID(id))},
		}}
	}
	for name, ask := range map[string][2]func() servertest.Request{
		"agent":   {func() servertest.Request { return wrong(known.ID) }, func() servertest.Request { return wrong(named("bot")) }},
		"project": {func() servertest.Request { return fetchLetter(thief.Sign, app, rand.Text()) }, func() servertest.Request { return fetchLetter(thief.Sign, named("app"), rand.Text()) }},
	} {
		var took [2][]time.Duration
		var said [2]string
		for range 60 {
			for i, request := range ask {
				r := request()
				begun := time.Now()
				a := s.Do(t, r)
				took[i] = append(took[i], time.Since(begun))
				if said[i] = fmt.Sprint(a.Status, string(a.Body)); !refused(t, a) {
					t.Fatalf("%s: %s", name, said[i])
				}
			}
		}
		there, nowhere := median(took[0]), median(took[1])
		t.Logf("%s: %s, %s; %s", name, there, nowhere, said[0])
		// The machine is busy with other things: what shows is another class of work.
		if said[0] != said[1] || there > 3*nowhere || nowhere > 3*there {
			return open
		}
	}
	return stopped
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// guessToken tries what is one character away from good ones.
func guessToken(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	variable, _, value := s.secret(t)
	a, app := s.agent(t), named("app")
	token := a.Obtain(t, app, variable).Token
	if len(token) < 64 || token == s.agent(t).Obtain(t, named("app"), variable).Token {
		t.Fatalf("a token of %d characters", len(token))
	}
	for i := range token {
		near := []byte(token)
		near[i] ^= 1
		if fetched(t, a, app, string(near), value) {
			return open
		}
	}
	login := *a
	for i := 0; i < len(a.AccessToken)-1; i += 7 {
		near := []byte(a.AccessToken)
		if near[i] == '.' {
			continue
		}
		near[i] = map[bool]byte{true: 'A', false: 'B'}[near[i] != 'A']
		login.AccessToken = string(near)
		if !refused(t, login.Attest(t)) {
			return open
		}
	}
	if !fetched(t, a, app, token, value) {
		t.Fatal("the token itself is not good")
	}
	return stopped
}

// A user code is on a screen for a while.
func guessUserCode(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	h := s.Host(t, named("bot"))
	ok(t, h.Begin(t, h.Init()))
	for _, r := range []servertest.Request{
		{Method: http.MethodPost, Path: "/admin/web/device/approve", Body: object{"user_code": h.UserCode, "agent_id": h.ID}},
		{Method: http.MethodPost, Path: "/admin/web/device/lookup", Body: object{"user_code": h.UserCode}},
		{Method: http.MethodPost, Path: "/device/token", Body: object{"device_code": h.UserCode, "grant_type": "urn:ietf:params:oauth:grant-type:device_code"}},
	} {
		if !refused(t, s.Do(t, r)) {
			return open
		}
	}
	page := ok(t, s.Do(t, servertest.Request{Method: http.MethodGet, Path: "/device?user_code=" + h.UserCode}))
	if bytes.Contains(page.Body, []byte(h.ID)) || bytes.Contains(page.Body, []byte(h.Hostname)) {
		return open
	}
	if !refused(t, h.Poll(t)) {
		return open
	}
	approveDevice(t, s.Server, h)
	ok(t, h.Poll(t))
	return stopped
}

// badBodies sends what nobody should have to read, with and without a credential.
func badBodies(t *testing.T) outcome {
	t.Parallel()
	s := newSite(t)
	before := peak(t, s.program.Cmd.Process.Pid)
	good := object{"key_path": "key", "secret_type": "KEY_VALUE", "value": "v"}
	text := string(marshal(good))
	for name, body := range map[string]string{
		"huge":          `{"key_path":"` + strings.Repeat("a", 3<<20) + `"}`,
		"deep":          strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
		"a deep member": text[:len(text)-1] + `,"x":` + strings.Repeat("[", 50_000) + strings.Repeat("]", 50_000) + "}",
		"twice":         text[:len(text)-1] + `,"value":"w"}`,
		"more":          text + "{}",
		"cut":           text[:len(text)-3],
		"no text":       strings.Replace(text, `"v"`, "\"\xff\xfe\"", 1),
		"half a pair":   strings.Replace(text, `"v"`, `"\ud800"`, 1),
		"a number":      "1e999999999",
		"another case":  strings.Replace(text, "key_path", "KEY_PATH", 1),
	} {
		if !refused(t, s.TryAdmin(t, http.MethodPost, "/admin/secrets", body)) {
			t.Logf("%s is taken", name)
			return open
		}
	}
	// A stranger is told at once, whatever he promises to send, wherever.
	for _, path := range []string{"/admin/secrets", "/agent/discover", "/device/authorize", "/login", "/daemon/attest"} {
		conn, err := net.Dial("tcp", s.addr())
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience / 4))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9000000000\r\n\r\n{", path)
		answer := make([]byte, 12)
		_, err = conn.Read(answer)
		conn.Close()
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Logf("%s: %q, %v", path, answer, err)
			return open
		}
	}
	ok(t, s.TryAdmin(t, http.MethodPost, "/admin/secrets", good))
	after := peak(t, s.program.Cmd.Process.Pid)
	return unless(after > before+64<<10, stopped)
}

// crossOrigin is what a page in a browser can send.
func crossOrigin(t *testing.T) outcome {
	t.Parallel()
	s := shared()
	page := http.Header{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}, "Sec-Fetch-Mode": {"cors"}}
	with := func(h http.Header) http.Header {
		all := page.Clone()
		for name, values := range h {
			all[name] = values
		}
		return all
	}
	admin := http.Header{"X-Admin-Token": {s.AdminToken}}
	body := object{"name": named("ns")}
	for _, r := range []servertest.Request{
		{Method: http.MethodPost, Path: "/admin/namespaces", Header: with(admin), Body: body}, // if it had the token
		{Method: http.MethodPost, Path: "/device/authorize", Header: with(http.Header{"Content-Type": {"text/plain"}}), Body: `{"client_id":"x"}`},
		{Method: http.MethodPost, Path: "/login", Header: with(nil), Body: object{"name": "a", "password": "b"}},
	} {
		if a := s.Do(t, r); !refused(t, a) || a.Header.Get("Access-Control-Allow-Origin") != "" {
			return open
		}
	}
	for _, r := range []servertest.Request{
		{Method: http.MethodOptions, Path: "/admin/secrets", Header: with(http.Header{"Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"X-Admin-Token"}})},
		{Method: http.MethodGet, Path: "/admin/secrets", Header: with(admin)},
	} {
		if a := s.Do(t, r); a.Header.Get("Access-Control-Allow-Origin") != "" || a.Header.Get("Access-Control-Allow-Headers") != "" {
			return open // the page may read the answer
		}
	}
	ok(t, s.TryAdmin(t, http.MethodPost, "/admin/namespaces", body))
	return stopped
}

// metricsNames reads all that is counted.
func metricsNames(t *testing.T) outcome {
	t.Parallel()
	token := rand.Text()
	s := newSite(t, "CORTEX_METRICS_TOKEN="+token)
	variable, _, value := s.secret(t)
	a, app := s.agent(t), named("app")
	a.Values(t, app, a.Obtain(t, app, variable).Token)
	ask := func(h http.Header) servertest.Answer {
		return s.Do(t, servertest.Request{Method: http.MethodGet, Path: "/metrics", Header: h})
	}
	for _, h := range []http.Header{nil, {"Authorization": {"Bearer " + a.AccessToken}}, {"Authorization": {"Bearer x"}}} {
		if !refused(t, ask(h)) {
			return open
		}
	}
	text := strings.ToLower(string(ok(t, ask(http.Header{"Authorization": {"Bearer " + token}})).Body))
	if !strings.Contains(text, "get_secrets") {
		t.Fatal("the fetch is not counted")
	}
	for _, name := range []string{variable, value, a.ID, app, "host-of", "127.0.0.1"} {
		if strings.Contains(text, strings.ToLower(name)) {
			return open
		}
	}
	return stopped
}
