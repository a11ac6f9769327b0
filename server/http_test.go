package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

func TestHealth(t *testing.T) {
	s := servertest.New(t)
	wantBody(t, s.Do(t, servertest.Request{Method: "GET", Path: "/health"}), http.StatusOK, `{"status":"ok","db":"ok"}`)
	if err := s.Vault.Close(); err != nil {
		t.Fatal(err)
	}
	wantBody(t, s.Do(t, servertest.Request{Method: "GET", Path: "/health"}), http.StatusServiceUnavailable, `{"status":"sealed","db":"ok"}`)
	wantError(t, s.TryAdmin(t, "GET", "/admin/secrets", nil), http.StatusServiceUnavailable, api.Sealed)
	wantError(t, poll(t, s, "x"), http.StatusServiceUnavailable, api.Sealed)
}

func TestJWKS(t *testing.T) {
	s := servertest.New(t)
	a := s.Do(t, servertest.Request{Method: "GET", Path: "/.well-known/jwks.json"})
	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if a.JSON(t, &set); a.Status != http.StatusOK || len(set.Keys) != 1 {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	key := set.Keys[0]
	wantMembers(t, key, "kty", "crv", "kid", "x", "alg")
	if key["kty"] != "OKP" || key["crv"] != "Ed25519" || key["alg"] != "EdDSA" || len(key["x"].(string)) != 43 {
		t.Errorf("%v", key)
	}
}

func TestNoSuchRoute(t *testing.T) {
	s := servertest.New(t)
	for _, path := range []string{
		"/", "/nothing", "/admin", "/admin/", "/admin/secrets/", "/admin//secrets", "/./health", "/x/../health", "/health/",
		"/admin/rotate-keys", "/admin/shamir", "/sys", "/project/configs/a/b", "/device/", "/static", "/static/",
		"/project/secrets/", "/project/secrets/a/b", "/HEALTH",
	} {
		a := raw(t, s, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n")
		if a.Status != http.StatusNotFound || a.Code() != string(api.NotFound) {
			t.Errorf("%s: %d %s", path, a.Status, a.Body)
		}
		if a.Header.Get("Location") != "" {
			t.Errorf("%s redirects", path)
		}
	}
}

func TestMethodNotAllowed(t *testing.T) {
	s := servertest.New(t)
	for path, allow := range map[string]string{
		"/health":                      "GET, HEAD",
		"/admin/secrets":               "GET, HEAD, POST",
		"/admin/secrets/x":             "DELETE, GET, HEAD, PUT",
		"/agent/discover":              "POST",
		"/project/secrets/x":           "GET, HEAD, POST",
		"/admin/pending-grants/x/deny": "POST",
	} {
		a := s.Do(t, servertest.Request{Method: "PATCH", Path: path, Body: `{}`})
		wantError(t, a, http.StatusMethodNotAllowed, api.MethodNotAllowed)
		if got := a.Header.Get("Allow"); got != allow {
			t.Errorf("%s: Allow %q, want %q", path, got, allow)
		}
	}
}

func TestContentTypes(t *testing.T) {
	s := servertest.New(t)
	send := func(contentType []string) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`, Header: http.Header{"Content-Type": contentType}})
	}
	for _, good := range []string{"application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.cortex+json"} {
		if a := send([]string{good}); a.Status != http.StatusOK {
			t.Errorf("%s: %d %s", good, a.Status, a.Body)
		}
	}
	for _, bad := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/jsonx", "text/x+json", ";"} {
		wantError(t, send([]string{bad}), http.StatusUnsupportedMediaType, api.UnsupportedMediaType)
	}
	wantError(t, send(nil), http.StatusUnsupportedMediaType, api.UnsupportedMediaType)
}

// Nobody learns what is wrong with a body before it is known who sent it.
func TestAuthenticationComesFirst(t *testing.T) {
	s := servertest.New(t)
	for _, token := range []string{"", "wrong-wrong-wrong"} {
		h := http.Header{"Content-Type": {"text/plain"}}
		if token != "" {
			h.Set("X-Admin-Token", token)
		}
		a := s.Do(t, servertest.Request{Method: "POST", Path: "/admin/secrets", Body: strings.Repeat("x", 3<<20), Header: h})
		wantError(t, a, http.StatusUnauthorized, api.Unauthorized)
	}
	twice := http.Header{"X-Admin-Token": {s.AdminToken, s.AdminToken}}
	wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: twice}), http.StatusUnauthorized, api.Unauthorized)
}

func TestEveryAdminRouteNeedsTheToken(t *testing.T) {
	s := servertest.New(t)
	for _, route := range documented(t) {
		if !strings.HasPrefix(route.path, "/admin/") {
			continue
		}
		path := strings.NewReplacer("{", "", "}", "").Replace(route.path)
		wantError(t, s.Do(t, servertest.Request{Method: route.method, Path: path, Body: `{}`}), http.StatusUnauthorized, api.Unauthorized)
	}
}

func TestBodyLimit(t *testing.T) {
	s := servertest.New(t)
	body := func(n int) string {
		const around = `{"key_path":"a","secret_type":"KEY_VALUE","value":""}`
		return strings.Replace(around, `"value":""`, `"value":"`+strings.Repeat("x", n-len(around))+`"`, 1)
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/secrets", body(2<<20+1)), http.StatusRequestEntityTooLarge, api.TooLarge)
	// Without a length in front, as well.
	req, err := http.NewRequestWithContext(t.Context(), "POST", s.URL+"/admin/secrets", io.NopCloser(strings.NewReader(body(2<<20+1))))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Admin-Token", s.AdminToken)
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.HTTP.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("chunked: %d", resp.StatusCode)
	}
	// At the limit the body is read and found to be something else.
	wantError(t, s.TryAdmin(t, "PUT", "/admin/secrets/nope", `{"x":"`+strings.Repeat("x", 2<<20-8)+`"}`), http.StatusNotFound, api.NotFound)
}

// Strangers hear no before they send a body, and cannot make the server hold
// one.
func TestStrangersSendNoBody(t *testing.T) {
	s := servertest.New(t)
	forged := proof.Attestation{
		SessionID: "s", TS: time.Now().Unix(), JTI: "j", BodySHA256: proof.BodyHash(nil), AuthTokenID: "t", Signature: make([]byte, 64),
	}.Header()
	for request, header := range map[string]string{
		"POST /admin/secrets":  "X-Admin-Token: wrong",
		"POST /daemon/attest":  "Authorization: Bearer wrong",
		"POST /agent/discover": "X-Daemon-Attestation: " + forged,
		"PUT /admin/secrets/i": "X-Nothing: 1",
	} {
		a := raw(t, s, request+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n"+header+"\r\n\r\n")
		wantError(t, a, http.StatusUnauthorized, api.Unauthorized)
	}
}

// A body that breaks off is the sender's fault, on every route.
func TestBrokenBodies(t *testing.T) {
	s := servertest.New(t)
	for name, framed := range map[string]string{
		"cut":               "Content-Length: 10\r\n\r\n{",
		"cut in a chunk":    "Transfer-Encoding: chunked\r\n\r\n5\r\n{",
		"cut between":       "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
		"no chunk":          "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n\r\n",
		"a chunk too long":  "Transfer-Encoding: chunked\r\n\r\n1\r\n{}}\r\n0\r\n\r\n",
		"an endless header": "Transfer-Encoding: chunked\r\n\r\n1;" + strings.Repeat("x", 9000) + "\r\n{\r\n0\r\n\r\n",
	} {
		for _, route := range []string{"/device/token", "/device/authorize", "/sys/unseal", "/login"} {
			t.Run(name+route, func(t *testing.T) {
				a := raw(t, s, "POST "+route+" HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"+framed)
				wantError(t, a, http.StatusBadRequest, api.InvalidRequest)
			})
		}
	}
}

func TestSmallBodies(t *testing.T) {
	s := servertest.New(t)
	body := func(n int) string { return `{"x":"` + strings.Repeat("x", n) + `"}` }
	for path, most := range map[string]int{"/device/authorize": 4 << 10, "/device/token": 4 << 10, "/daemon/attest": 16 << 10} {
		h := http.Header{"Authorization": {"Bearer " + s.Enrol(t, "bot-"+strconv.Itoa(len(path))).AccessToken}}
		a := s.Do(t, servertest.Request{Method: "POST", Path: path, Header: h, Body: body(most - 8)})
		if a.Status == http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s", path, a.Body)
		}
		wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: path, Header: h, Body: body(most)}), http.StatusRequestEntityTooLarge, api.TooLarge)
	}
}

func TestQueryNamesANamespace(t *testing.T) {
	s := servertest.New(t)
	for _, path := range []string{"/admin/projects", "/admin/secrets", "/admin/agents", "/admin/projects/app/grants"} {
		for _, namespace := range []string{"%00", "a%00b", ".x", strings.Repeat("a", 200), "%ff"} {
			wantError(t, s.TryAdmin(t, "GET", path+"?namespace="+namespace, nil), http.StatusBadRequest, api.InvalidRequest)
		}
		wantBody(t, s.TryAdmin(t, "GET", path+"?namespace=nobodys", nil), http.StatusOK, "[]")
	}
}

func TestHeaderLimit(t *testing.T) {
	s := servertest.New(t)
	send := func(n int) int {
		return raw(t, s, "GET /health HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", n)+"\r\n\r\n").Status
	}
	if status := send(15 << 10); status != http.StatusOK {
		t.Errorf("15 KiB: %d", status)
	}
	if status := send(16 << 10); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("16 KiB and more: %d", status)
	}
}

func TestPathsThatAreNoText(t *testing.T) {
	s := servertest.New(t)
	for _, path := range []string{"/admin/secrets/%ff", "/project/secrets/a%00b", "/project/secrets/a%0ab", "/admin/secrets/a%E2%80%AEb", "/admin/secrets/" + strings.Repeat("a", 2048)} {
		wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: path}), http.StatusBadRequest, api.InvalidRequest)
	}
	if a := raw(t, s, "GET /admin/secrets/%zz HTTP/1.1\r\nHost: x\r\n\r\n"); a.Status != http.StatusBadRequest {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// A parameter is decoded once: an escaped slash is part of it.
func TestEscapedParameters(t *testing.T) {
	s := servertest.New(t)
	s.Register(t, "a:b@c")
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/agents/a%2Fb", nil), http.StatusNotFound, api.NotFound)
	wantError(t, s.TryAdmin(t, "DELETE", "/admin/agents/a%253Ab@c", nil), http.StatusNotFound, api.NotFound)
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/agents/a%3Ab%40c", nil), http.StatusOK, `{"deleted":true}`)
}

func TestHeadersEverywhere(t *testing.T) {
	s := servertest.With(t, servertest.Config{TLS: true})
	for _, r := range []servertest.Request{
		{Method: "GET", Path: "/health"},
		{Method: "GET", Path: "/nothing"},
		{Method: "PATCH", Path: "/health"},
		{Method: "OPTIONS", Path: "/health"},
		{Method: "GET", Path: "/admin/secrets"},
		{Method: "POST", Path: "/device/token", Body: `x`},
	} {
		h := s.Do(t, r).Header
		for name, want := range map[string]string{
			"X-Content-Type-Options":    "nosniff",
			"X-Frame-Options":           "DENY",
			"Referrer-Policy":           "no-referrer",
			"Cache-Control":             "no-store",
			"Strict-Transport-Security": "max-age=31536000",
			"Vary":                      "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
		} {
			if got := h.Get(name); got != want {
				t.Errorf("%s %s: %s: %q, want %q", r.Method, r.Path, name, got, want)
			}
		}
		if csp := h.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "unsafe") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("CSP %q", csp)
		}
		if h.Get("X-Request-Id") == "" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%v", h)
		}
	}
	if h := servertest.New(t); h.Do(t, servertest.Request{Method: "GET", Path: "/health"}).Header.Get("Strict-Transport-Security") != "" {
		t.Error("HSTS without TLS")
	}
}

func TestHTTP2(t *testing.T) {
	s := servertest.With(t, servertest.Config{TLS: true})
	resp, err := s.HTTP.Get(s.URL + "/health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK {
		t.Errorf("%s %d", resp.Proto, resp.StatusCode)
	}
	id := s.Secret(t, "a", "x")
	if d := readSecret(t, s, id); d["value"] != "x" {
		t.Errorf("%v", d)
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/secrets", strings.Repeat("x", 3<<20)), http.StatusRequestEntityTooLarge, api.TooLarge)
}

func TestOptions(t *testing.T) {
	preflight := http.Header{
		"Origin": {"https://dash.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"x-admin-token"},
	}
	plain := servertest.New(t)
	for _, path := range []string{"/health", "/nothing", "/admin/secrets"} {
		a := plain.Do(t, servertest.Request{Method: "OPTIONS", Path: path, Header: preflight})
		if a.Status != http.StatusOK || len(a.Body) != 0 || a.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s %v", path, a.Status, a.Body, a.Header)
		}
	}
	s := servertest.With(t, servertest.Config{Origins: []string{"https://dash.example"}})
	h := s.Do(t, servertest.Request{Method: "OPTIONS", Path: "/admin/secrets", Header: preflight}).Header
	if h.Get("Access-Control-Allow-Origin") != "https://dash.example" || h.Get("Access-Control-Allow-Methods") != "GET, POST, PUT, DELETE" ||
		!strings.Contains(h.Get("Access-Control-Allow-Headers"), "x-admin-token") || h.Get("Access-Control-Allow-Credentials") != "" || h.Get("Access-Control-Max-Age") != "" {
		t.Errorf("%v", h)
	}
	preflight.Set("Origin", "https://evil.example")
	if h := s.Do(t, servertest.Request{Method: "OPTIONS", Path: "/admin/secrets", Header: preflight}).Header; h.Get("Access-Control-Allow-Origin") != "" || h.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("%v", h)
	}
}

func TestCrossOrigin(t *testing.T) {
	s := servertest.With(t, servertest.Config{Origins: []string{"https://dash.example"}})
	send := func(h http.Header) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`, Header: h})
	}
	listed := send(http.Header{"Origin": {"https://dash.example"}, "Sec-Fetch-Site": {"cross-site"}})
	if listed.Status != http.StatusOK || listed.Header.Get("Access-Control-Allow-Origin") != "https://dash.example" {
		t.Errorf("%d %s", listed.Status, listed.Body)
	}
	for _, h := range []http.Header{
		{"Origin": {"https://evil.example"}, "Sec-Fetch-Site": {"cross-site"}},
		{"Origin": {"https://evil.example"}},
		{"Origin": {"null"}},
	} {
		wantError(t, send(h), http.StatusForbidden, api.Forbidden)
	}
	if a := send(http.Header{}); a.Status != http.StatusOK {
		t.Errorf("not a browser: %d %s", a.Status, a.Body)
	}
}

// Wrong guesses of the admin token are counted; once there are too many, even
// the right one has to wait. Agents behind the same address do not.
func TestAdminFailures(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Failures: limit.Rate{N: 5, Per: time.Minute}}})
	a := staged(t, s)
	guess := func(token string) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: http.Header{"X-Admin-Token": {token}}})
	}
	for range 5 {
		wantError(t, guess("wrong-wrong-wrong"), http.StatusUnauthorized, api.Unauthorized)
		wantError(t, s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets"}), http.StatusUnauthorized, api.Unauthorized)
	}
	over := guess(s.AdminToken)
	wantError(t, over, http.StatusTooManyRequests, api.RateLimited)
	if over.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusForbidden, api.PendingApproval)
}

// Failing agents are told to wait; those that do not fail never are, although
// they share the address.
func TestAgentFailures(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Failures: limit.Rate{N: 5, Per: time.Minute}}})
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	for range 5 {
		wantError(t, a.Fetch(t, "app", "wrong"), http.StatusUnauthorized, api.Unauthorized)
	}
	wantError(t, a.Fetch(t, "app", "wrong"), http.StatusTooManyRequests, api.RateLimited)
	wantError(t, attest(t, s, "wrong", `{}`), http.StatusTooManyRequests, api.RateLimited)
	wantError(t, poll(t, s, "wrong"), http.StatusTooManyRequests, api.RateLimited)
	bad := a.Discovery("app", "OPENAI_API_KEY")
	bad.AgentID = "nobody"
	wantError(t, a.Send(t, bad), http.StatusTooManyRequests, api.RateLimited)
	a.Values(t, "app", token)
	wantError(t, poll(t, s, authorize(t, s)["device_code"]), http.StatusUnauthorized, api.AuthorizationPending)
	s.Admin(t, "GET", "/admin/secrets", nil, nil)
}

// X-Forwarded-For changes nothing for whoever is no trusted proxy.
func TestSpoofedSource(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Failures: limit.Rate{N: 3, Per: time.Minute}}})
	for i := range 10 {
		a := s.Do(t, servertest.Request{Method: "GET", Path: "/admin/secrets", Header: http.Header{
			"X-Admin-Token": {"wrong-wrong-wrong"}, "X-Forwarded-For": {fmt.Sprintf("10.0.0.%d", i)}, "X-Real-Ip": {fmt.Sprintf("10.0.0.%d", i)},
		}})
		want := http.StatusUnauthorized
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if a.Status != want {
			t.Errorf("attempt %d: %d", i, a.Status)
		}
	}
}

// raw sends bytes and reads one answer.
func raw(t *testing.T, s *servertest.Server, text string) servertest.Answer {
	t.Helper()
	conn := dial(t, s)
	write(t, conn, text)
	_ = conn.(*net.TCPConn).CloseWrite() // a server that has answered may be gone
	return readAnswer(t, bufio.NewReader(conn))
}

// dial connects to a server for the length of a test.
func dial(t *testing.T, s *servertest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func write(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func readAnswer(t *testing.T, from *bufio.Reader) servertest.Answer {
	t.Helper()
	resp, err := http.ReadResponse(from, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return servertest.Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}
}
