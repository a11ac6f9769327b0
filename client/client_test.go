package client

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/vault/opaque"
	"github.com/cortex-auth/cortex/vault/proof"
)

func TestNewRefusesURLs(t *testing.T) {
	for _, u := range []string{
		"", "v.example", "//v.example", "ftp://v.example", "https://", "https://:3000", "https://u:hush@v.example",
		"https://v.example/api", "https://v.example?x=1", "https://v.example?", "https://v.example#f", "https:v.example",
		"https://v.example:0", "https://v.example:99999", "https://v ex", "https://v|ex", "https://v.example/%2e%2e/",
	} {
		_, err := New(Config{URL: u})
		if !errors.Is(err, ErrURL) || Hint(err) == "" {
			t.Errorf("%q: %v", u, err)
		}
		if err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// A transport that fails the test when anything is sent.
type noPackets struct{ t *testing.T }

func (n noPackets) RoundTrip(r *http.Request) (*http.Response, error) {
	n.t.Errorf("sent a packet to %s", r.URL)
	return nil, errors.New("no")
}

func TestPlainHTTPOnlyToThisMachine(t *testing.T) {
	for _, u := range []string{"http://v.example", "http://10.0.0.1:3000", "http://127.0.0.1.example", "http://0.0.0.0", "http://[::]", "http://localhost.example", "http://127.1", "http://2130706433", "http://[fe80::1]"} {
		_, err := New(Config{URL: u, HTTP: &http.Client{Transport: noPackets{t}}})
		if !errors.Is(err, ErrInsecure) || !strings.Contains(Hint(err), "https") {
			t.Errorf("%s: %v", u, err)
		}
	}
	for _, u := range []string{"http://127.0.0.1:3000", "http://127.8.9.1", "http://localhost", "http://[::1]:1", "http://[::ffff:127.0.0.1]", "HTTPS://V.example"} {
		if _, err := New(Config{URL: u}); err != nil {
			t.Errorf("%s: %v", u, err)
		}
	}
}

func TestSameServer(t *testing.T) {
	for _, same := range [][2]string{
		{"https://v.example", "HTTPS://V.EXAMPLE:443/"},
		{"http://127.0.0.1:80", "http://127.0.0.1"},
		{"https://[::1]:3000", "https://[::1]:3000/"},
		{"https://v.example:3000", "https://v.example:03000"},
	} {
		if !SameServer(same[0], same[1]) {
			t.Errorf("%v differ", same)
		}
	}
	for _, other := range [][2]string{
		{"https://v.example", "http://v.example"},
		{"https://v.example", "https://v.example:3000"},
		{"https://v.example", "https://w.example"},
		{"https://v.example", "https://v.example/x"},
		{"", ""},
		{"nonsense", "nonsense"},
		{"https://a@v.example", "https://v.example"},
	} {
		if SameServer(other[0], other[1]) {
			t.Errorf("%v are the same", other)
		}
	}
	if o, err := Origin("HTTPS://V.example:443/"); err != nil || o != "https://v.example" {
		t.Errorf("%q, %v", o, err)
	}
}

func FuzzOrigin(f *testing.F) {
	for _, s := range []string{"https://v.example:3000/", "http://[::1]", "https://u@h", "HTTP://LOCALHOST:080", "https://h%00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		o, err := Origin(s)
		if err != nil {
			return
		}
		again, err := Origin(o)
		if err != nil || again != o || !SameServer(s, o) {
			t.Fatalf("%q → %q → %q, %v", s, o, again, err)
		}
		if strings.ContainsAny(o, "|\r\n @?#") {
			t.Fatalf("%q → %q", s, o)
		}
	})
}

// answering starts a server and returns a client of it.
func answering(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := New(Config{URL: srv.URL, AdminToken: opaque.New([]byte("admin-hush"))})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fixed(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestErrors(t *testing.T) {
	for name, row := range map[string]struct {
		status     int
		body       string
		code       api.Code
		text       string
		retryAfter string
	}{
		"JSON with a code":         {401, `{"error":"token is over","error_code":"token_expired"}`, api.TokenExpired, "token is over", ""},
		"JSON without a code":      {409, `{"error":"exists"}`, "", "exists", ""},
		"plain text, older server": {422, "Failed to deserialize the JSON body", "", "Failed to deserialize the JSON body", ""},
		"empty, older server":      {404, "", "", "404 Not Found", ""},
		"HTML of a proxy":          {502, "<html>\n<h1>Bad</h1>\x1b[31m</html>", "", "<html> <h1>Bad</h1> [31m</html>", ""},
		"JSON, something else":     {500, `{"message":"x"}`, "", `{"message":"x"}`, ""},
		"JSON, wrong types":        {500, `{"error":5}`, "", `{"error":5}`, ""},
		"control characters":       {400, `{"error":"a\u001b[2Jb\nc"}`, "", "a [2Jb c", ""},
		"too fast":                 {429, `{"error":"slow","error_code":"rate_limited"}`, api.RateLimited, "slow", "7"},
	} {
		c := answering(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", row.retryAfter)
			fixed(row.status, "", row.body)(w, r)
		})
		_, err := c.Secrets(t.Context(), SecretFilter{})
		e, ok := errors.AsType[*api.Error](err)
		if !ok || e.Status != row.status || e.Code != row.code || !strings.Contains(e.Message, row.text) {
			t.Errorf("%s: %#v", name, err)
			continue
		}
		if row.code != "" && !errors.Is(err, row.code) {
			t.Errorf("%s: the code is not in the chain", name)
		}
		if row.retryAfter != "" && (e.RetryAfter != 7*time.Second || Hint(err) != "try again in 7s") {
			t.Errorf("%s: retry after %v, hint %q", name, e.RetryAfter, Hint(err))
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, body := range map[string]string{
		"HTML": "<html>", "empty": "", "another shape": `{"a":1}`, "trailing data": `[] []`, "cut off": `[{"id":"`, "wrong type": `[{"id":5}]`,
		"bad time": `[{"created_at":"yesterday"}]`,
	} {
		if _, err := answering(t, fixed(200, "application/json", body)).Secrets(t.Context(), SecretFilter{}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnswersAreLimited(t *testing.T) {
	big := `["` + strings.Repeat("a", maxAnswer) + `"]`
	for name, h := range map[string]http.HandlerFunc{
		"announced": fixed(200, "", big),
		"streamed": func(w http.ResponseWriter, _ *http.Request) {
			w.(http.Flusher).Flush()
			io.WriteString(w, big)
		},
	} {
		if _, err := answering(t, h).Secrets(t.Context(), SecretFilter{}); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	h := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL+"/x", http.StatusTemporaryRedirect)
	}
	srv := httptest.NewServer(http.HandlerFunc(h))
	defer srv.Close()
	for name, given := range map[string]*http.Client{"ours": nil, "given": {CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}} {
		c, err := New(Config{URL: srv.URL, HTTP: given})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.DeviceAuthorize(t.Context(), api.DeviceAuthorizeRequest{ClientID: "cortex-cli"})
		if e, ok := errors.AsType[*api.Error](err); !ok || e.Status != 307 || !strings.Contains(e.Message, elsewhere.URL) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c, _ := New(Config{URL: "http://" + addr})
	if _, _, err := c.Health(t.Context()); !errors.Is(err, ErrUnreachable) || Hint(err) == "" || strings.Contains(err.Error(), "/health") {
		t.Errorf("%v, hint %q", err, Hint(err))
	}

	tlsServer := httptest.NewTLSServer(fixed(200, "", "{}"))
	defer tlsServer.Close()
	c, _ = New(Config{URL: tlsServer.URL})
	if _, _, err := c.Health(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(Hint(err), "SSL_CERT_FILE") {
		t.Errorf("unknown authority: %v, hint %q", err, Hint(err))
	}

	plain := httptest.NewServer(fixed(200, "", "{}"))
	defer plain.Close()
	c, _ = New(Config{URL: strings.Replace(plain.URL, "http:", "https:", 1)})
	if _, _, err := c.Health(t.Context()); !errors.Is(err, ErrUnreachable) || !strings.Contains(Hint(err), "TLS") {
		t.Errorf("plain HTTP on the port: %v, hint %q", err, Hint(err))
	}

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("stop"))
	if _, _, err := c.Health(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUnreachable) {
		t.Errorf("cancelled: %v", err)
	}
}

func vecSession() Session {
	seed := make([]byte, ed25519.SeedSize)
	for i := range seed {
		seed[i] = byte(i)
	}
	return Session{ID: "11111111-2222-4333-8444-555555555555", Signer: plainSigner(ed25519.NewKeyFromSeed(seed))}
}

type plainSigner ed25519.PrivateKey

func (s plainSigner) Sign(m []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(s), m), nil
}

// checkAttested verifies the attestation of a request as a server does.
func checkAttested(t *testing.T, r *http.Request, path string, body []byte, authTokenID string) {
	t.Helper()
	a, err := proof.ParseAttestation(r.Header.Get("X-Daemon-Attestation"))
	if err != nil {
		t.Fatal(err)
	}
	pub := ed25519.PrivateKey(vecSession().Signer.(plainSigner)).Public().(ed25519.PublicKey)
	if !ed25519.Verify(pub, a.Message(r.Method, path), a.Signature) {
		t.Errorf("does not verify over %q", a.Message(r.Method, path))
	}
	if d := time.Since(time.Unix(a.TS, 0)); d < -time.Second || d > time.Minute {
		t.Errorf("signed %v ago", d)
	}
	if a.BodySHA256 != proof.BodyHash(body) || a.AuthTokenID != authTokenID || a.SessionID != vecSession().ID {
		t.Errorf("attested %+v", a)
	}
}

func TestDiscover(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := `{"agent_id":"my-agent","auth_proof":"p","context":{"project_name":"my-app","file_content":"A=\n"},"ts":5,"nonce":"n"}`; string(body) != want {
			t.Errorf("body %s", body)
		}
		if r.Method != "POST" || r.URL.Path != "/agent/discover" || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("X-Admin-Token") != "" {
			t.Errorf("%s %s %v", r.Method, r.URL, r.Header)
		}
		checkAttested(t, r, "/agent/discover", body, "agent:my-agent")
		io.WriteString(w, `{"mapped_keys":{"A":"a"},"full_matched":true,"project_token":"tok","token_expires_at":"2026-01-02 03:04:05","token_ttl_seconds":1209600,"unmatched_keys":[],"namespace":"default","scope":["a"],"new_member":1}`)
	})
	out, err := c.Discover(t.Context(), api.DiscoverRequest{AgentID: "my-agent", AuthProof: "p", Context: api.DiscoverContext{ProjectName: "my-app", FileContent: "A=\n"}, TS: new(int64(5)), Nonce: new("n")}, vecSession())
	if err != nil || string(out.ProjectToken.Reveal()) != "tok" || !out.SignedProjectToken.IsZero() || out.TokenExpiresAt.String() != "2026-01-02 03:04:05" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestDiscoverPending(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Daemon-Attestation") != "" {
			t.Error("attested without an Attester")
		}
		fixed(403, "application/json", `{"error":"wait","error_code":"pending_approval","details":{"grant_id":"g1","requested_keys":["a"],"agent_id":"x","project_name":"p"}}`)(w, r)
	})
	_, err := c.Discover(t.Context(), api.DiscoverRequest{AgentID: "x"}, nil)
	e, ok := errors.AsType[*api.Error](err)
	if !ok || !errors.Is(err, api.PendingApproval) || e.Details == nil || e.Details.GrantID != "g1" || len(e.Details.RequestedKeys) != 1 {
		t.Errorf("%#v", err)
	}
}

func TestProjectSecrets(t *testing.T) {
	token := opaque.New([]byte(strings.Repeat("ab", 32)))
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+strings.Repeat("ab", 32) || r.URL.Path != "/project/secrets/my-app" {
			t.Errorf("%s %v", r.URL, r.Header)
		}
		checkAttested(t, r, "/project/secrets/my-app", nil, "271a413bd339c5709fdceaec41f14f11e9fbfb5042d72d331c65f32b284cd09a")
		if got := r.Header.Get("X-Cortex-Caller-Pid") + r.Header.Get("X-Cortex-Hostname") + r.Header.Get("X-Cortex-Os"); got != "42bücherlinux/amd64" {
			t.Errorf("caller %q", got)
		}
		checkCaller(t, r)
		for _, absent := range []string{"X-Cortex-Caller-Cwd", "X-Cortex-Caller-Argv-Hash"} {
			if _, there := r.Header[absent]; there {
				t.Errorf("%s was sent", absent)
			}
		}
		io.WriteString(w, `{"env_vars":{"A":"sk-\"1\"","EMPTY":""},"withheld":["GONE"]}`)
	})
	got, err := c.ProjectSecrets(t.Context(), "my-app", token, vecSession(), CallerContext{PID: 42, CWD: "/a\nX-Admin-Token: x", Hostname: "bücher", OS: "linux/amd64"})
	if err != nil || len(got.Values) != 2 || string(got.Values["A"].Reveal()) != `sk-"1"` || got.Values["EMPTY"].Len() != 0 || !slices.Equal(got.Withheld, []string{"GONE"}) {
		t.Errorf("%v, %v", got, err)
	}
	for _, name := range []string{"", "..", "a/b", "a?b", "a b", "a%2fb"} {
		if _, err := c.ProjectSecrets(t.Context(), name, token, nil, CallerContext{}); err == nil {
			t.Errorf("project %q was asked for", name)
		}
	}
	if _, err := answering(t, fixed(200, "", `{"env_vars":{"A":null}}`)).ProjectSecrets(t.Context(), "p", token, nil, CallerContext{}); !errors.Is(err, ErrAnswer) {
		t.Errorf("a null value: %v", err)
	}
}

// checkCaller checks that the session's key signed for whom a request asks.
func checkCaller(t *testing.T, r *http.Request) {
	t.Helper()
	a, err := proof.ParseAttestation(r.Header.Get("X-Daemon-Attestation"))
	sig, err2 := proof.DecodeSignatureURL(r.Header.Get("X-Cortex-Caller-Proof"))
	key := ed25519.PrivateKey(vecSession().Signer.(plainSigner)).Public().(ed25519.PublicKey)
	if err != nil || err2 != nil || !ed25519.Verify(key, proof.CallerMessage(a.JTI, proof.CallerDigest(r.Header.Get)), sig) {
		t.Errorf("%v, %v, %v", r.Header, err, err2)
	}
}

func TestDevice(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch r.URL.Path {
		case "/device/authorize":
			io.WriteString(w, `{"device_code":"dc","user_code":"BCDF-GHJK","verification_uri":"/device","expires_in":600,"interval":5}`)
		case "/device/token":
			if string(body) != `{"device_code":"dc","grant_type":"urn:ietf:params:oauth:grant-type:device_code"}` {
				t.Errorf("body %s", body)
			}
			io.WriteString(w, `{"access_token":"jwt","token_type":"Bearer","expires_in":2592000,"kid":"k"}`)
		case "/daemon/attest":
			if r.Header.Get("Authorization") != "Bearer jwt" || string(body) != `{"attestation_pub":"p","binary_sha256":"h","daemon_pid":7}` {
				t.Errorf("%v %s", r.Header, body)
			}
			io.WriteString(w, `{"session_id":"s","expires_in":86400,"allowlist_enforced":true}`)
		}
	})
	auth, err := c.DeviceAuthorize(t.Context(), api.DeviceAuthorizeRequest{ClientID: "cortex-cli"})
	if err != nil || auth.UserCode != "BCDF-GHJK" || auth.Interval != 5 {
		t.Fatalf("%+v, %v", auth, err)
	}
	if page, err := c.ApprovalURL(auth); err != nil || page != c.URL()+"/device" {
		t.Errorf("%s, %v", page, err)
	}
	auth.VerificationURI = "javascript:alert(1)"
	if page, err := c.ApprovalURL(auth); err == nil {
		t.Errorf("approval page %s", page)
	}
	tok, err := c.DeviceToken(t.Context(), api.DeviceTokenRequest{DeviceCode: auth.DeviceCode, GrantType: api.GrantTypeDeviceCode})
	if err != nil || string(tok.AccessToken.Reveal()) != "jwt" || tok.ExpiresIn != 2592000 {
		t.Fatalf("%+v, %v", tok, err)
	}
	s, err := c.Attest(t.Context(), opaque.New(tok.AccessToken.Reveal()), api.AttestRequest{AttestationPub: "p", BinarySHA256: "h", DaemonPID: new(int64(7))})
	if err != nil || s.SessionID != "s" || !s.AllowlistEnforced || s.ExpiresIn != 86400 {
		t.Errorf("%+v, %v", s, err)
	}
}

// A head that its own key did not sign is no answer.
func TestAuditHead(t *testing.T) {
	text, err := os.ReadFile("../vault/audit/note/testdata/vectors.txt")
	if err != nil {
		t.Fatal(err)
	}
	member := func(name string) string {
		return regexp.MustCompile(`(?m)^` + name + ` (.*)$`).FindStringSubmatch(string(text))[1]
	}
	var answer string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if r.RequestURI != "/admin/audit/head" {
			t.Errorf("asked %s", r.RequestURI)
		}
		io.WriteString(w, answer)
	})
	good := `{"note":` + member("note") + `,"verifier_key":"` + member("key") + `"}`
	answer = good
	if n, k, err := c.AuditHead(t.Context()); err != nil || n.Seq != 42 || k.String() != member("key") {
		t.Errorf("%s, %s, %v", n, k, err)
	}
	for _, answer = range []string{`{}`, strings.Replace(good, "42", "43", 1), strings.Replace(good, "+", "", 1)} {
		if _, _, err := c.AuditHead(t.Context()); !errors.Is(err, ErrAnswer) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// Every admin method sends what its route expects.
func TestAdminRoutes(t *testing.T) {
	var got, body string
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got, body = r.Method+" "+r.RequestURI, string(b)
		if r.Header.Get("X-Admin-Token") != "admin-hush" {
			t.Error("no admin token")
		}
		if strings.HasPrefix(got, "GET") && (!strings.HasPrefix(got, "GET /admin/secrets/") || strings.HasSuffix(got, "s")) {
			io.WriteString(w, `[]`)
			return
		}
		io.WriteString(w, `{}`)
	})
	ctx := t.Context()
	value := api.NewValue([]byte("v"))
	for _, row := range []struct {
		call       func() error
		want, body string
	}{
		{func() error { _, err := c.Secrets(ctx, SecretFilter{}); return err }, "GET /admin/secrets", ""},
		{func() error { _, err := c.Secrets(ctx, SecretFilter{Namespace: "ns"}); return err }, "GET /admin/secrets?namespace=ns", ""},
		{func() error {
			_, err := c.Secrets(ctx, SecretFilter{Type: api.KeyValue, Tag: "t", Prefix: "a/", Deleted: true})
			return err
		}, "GET /admin/secrets?deleted=true&prefix=a%2F&tag=t&type=KEY_VALUE", ""},
		{func() error { _, err := c.Secret(ctx, "id"); return err }, "GET /admin/secrets/id", ""},
		{func() error {
			_, err := c.CreateSecret(ctx, api.CreateSecret{KeyPath: "k", SecretType: api.KeyValue, Value: value})
			return err
		}, "POST /admin/secrets", `{"key_path":"k","secret_type":"KEY_VALUE","value":"v"}`},
		{func() error { _, err := c.UpdateSecret(ctx, "id", api.UpdateSecret{Value: value}); return err }, "PUT /admin/secrets/id", `{"value":"v"}`},
		{func() error { _, err := c.DeleteSecret(ctx, "id"); return err }, "DELETE /admin/secrets/id", ""},
		{func() error {
			_, err := c.KeepSecrets(ctx, api.Bulk{Format: "dotenv", Content: value, DryRun: true})
			return err
		}, "POST /admin/secrets/bulk", `{"format":"dotenv","content":"v","dry_run":true}`},
		{func() error { _, err := c.UndeleteSecret(ctx, "id"); return err }, "POST /admin/secrets/id/undelete", ""},
		{func() error { _, err := c.DestroySecret(ctx, "id"); return err }, "POST /admin/secrets/id/destroy", ""},
		{func() error { _, err := c.SecretVersions(ctx, "id"); return err }, "GET /admin/secrets/id/versions", ""},
		{func() error { _, err := c.SecretVersion(ctx, "id", 3); return err }, "GET /admin/secrets/id?version=3", ""},
		{func() error { _, err := c.RollbackSecret(ctx, "id", api.RollbackSecret{Version: 3}); return err }, "POST /admin/secrets/id/rollback", `{"version":3}`},
		{func() error { _, err := c.SecretShares(ctx, "id"); return err }, "GET /admin/secrets/id/shares", ""},
		{func() error { _, err := c.ShareSecret(ctx, "id", api.ShareSecret{Namespace: "n"}); return err }, "POST /admin/secrets/id/shares", `{"namespace":"n"}`},
		{func() error { _, err := c.UnshareSecret(ctx, "id", "n"); return err }, "DELETE /admin/secrets/id/shares/n", ""},
		{func() error { _, err := c.Agents(ctx, ""); return err }, "GET /admin/agents", ""},
		{func() error { _, err := c.Agents(ctx, "ns"); return err }, "GET /admin/agents?namespace=ns", ""},
		{func() error { _, err := c.CreateAgent(ctx, api.CreateAgent{AgentID: "a", AgentPub: "p"}); return err }, "POST /admin/agents", `{"agent_id":"a","agent_pub":"p"}`},
		{func() error { _, err := c.DeleteAgent(ctx, "ns", "me@host"); return err }, "DELETE /admin/agents/me@host?namespace=ns", ""},
		{func() error { _, err := c.Policies(ctx); return err }, "GET /admin/policies", ""},
		{func() error {
			_, err := c.CreatePolicy(ctx, api.CreatePolicy{PolicyName: "n", AgentPattern: "*", AllowedPaths: []string{}})
			return err
		}, "POST /admin/policies", `{"policy_name":"n","agent_pattern":"*","allowed_paths":[]}`},
		{func() error { _, err := c.DeletePolicy(ctx, "id"); return err }, "DELETE /admin/policies/id", ""},
		{func() error { _, err := c.Projects(ctx, ""); return err }, "GET /admin/projects", ""},
		{func() error { _, err := c.Projects(ctx, "ns"); return err }, "GET /admin/projects?namespace=ns", ""},
		{func() error { _, err := c.RevokeProject(ctx, "ns", "p"); return err }, "POST /admin/projects/p/revoke?namespace=ns", ""},
		{func() error { _, err := c.RevokeProject(ctx, "", "p/q r?"); return err }, "POST /admin/projects/p%2Fq%20r%3F/revoke", ""},
		{func() error { _, err := c.Grants(ctx, "", "p"); return err }, "GET /admin/projects/p/grants", ""},
		{func() error { _, err := c.Grants(ctx, "ns", "p"); return err }, "GET /admin/projects/p/grants?namespace=ns", ""},
		{func() error { _, err := c.CreateGrant(ctx, "", "p", api.CreateGrant{SecretID: "s"}); return err }, "POST /admin/projects/p/grants", `{"secret_id":"s"}`},
		{func() error { _, err := c.CreateGrant(ctx, "ns", "p", api.CreateGrant{SecretID: "s"}); return err }, "POST /admin/projects/p/grants?namespace=ns", `{"secret_id":"s"}`},
		{func() error { _, err := c.DeleteGrant(ctx, "p", "g"); return err }, "DELETE /admin/projects/p/grants/g", ""},
		{func() error { _, err := c.Namespaces(ctx); return err }, "GET /admin/namespaces", ""},
		{func() error { _, err := c.CreateNamespace(ctx, api.CreateNamespace{Name: "n"}); return err }, "POST /admin/namespaces", `{"name":"n"}`},
		{func() error { _, err := c.DeleteNamespace(ctx, "n"); return err }, "DELETE /admin/namespaces/n", ""},
		{func() error { _, err := c.AuditLogs(ctx, AuditFilter{}); return err }, "GET /admin/audit-logs", ""},
		{func() error {
			_, err := c.AuditLogs(ctx, AuditFilter{Project: "p", Agent: "a", Action: "x", Status: "s", Since: time.Unix(1, 5), Until: time.Unix(2, 0)})
			return err
		}, "GET /admin/audit-logs?action=x&agent=a&project=p&since=1970-01-01T00%3A00%3A01.000000005Z&status=s&until=1970-01-01T00%3A00%3A02Z", ""},
		{func() error { _, err := c.Devices(ctx); return err }, "GET /admin/devices", ""},
		{func() error {
			_, err := c.ApproveDevice(ctx, "", api.ApproveDevice{UserCode: "u", AgentID: "a"})
			return err
		}, "POST /admin/web/device/approve", `{"user_code":"u","agent_id":"a"}`},
		{func() error {
			_, err := c.ApproveDevice(ctx, "ns", api.ApproveDevice{UserCode: "u", AgentID: "a"})
			return err
		}, "POST /admin/web/device/approve?namespace=ns", `{"user_code":"u","agent_id":"a"}`},
		{func() error { _, err := c.DeleteDevices(ctx, "", "a"); return err }, "DELETE /admin/devices/a", ""},
		{func() error { _, err := c.DeleteDevices(ctx, "ns", "a"); return err }, "DELETE /admin/devices/a?namespace=ns", ""},
		{func() error { _, err := c.PendingGrants(ctx); return err }, "GET /admin/pending-grants", ""},
		{func() error { _, err := c.ApproveGrant(ctx, "g", api.ApproveGrant{}); return err }, "POST /admin/pending-grants/g/approve", `{}`},
		{func() error {
			_, err := c.ApproveGrant(ctx, "g", api.ApproveGrant{ApprovedKeys: &[]string{"A"}})
			return err
		}, "POST /admin/pending-grants/g/approve", `{"approved_keys":["A"]}`},
		{func() error {
			_, err := c.ApproveGrant(ctx, "g", api.ApproveGrant{Remap: map[string]string{"A": "b"}, AutoApprovalDays: new(7)})
			return err
		}, "POST /admin/pending-grants/g/approve", `{"remap":{"A":"b"},"auto_approval_days":7}`},
		{func() error { _, err := c.Freeze(ctx, api.FreezeTarget{Kind: "agent", Name: "a"}); return err }, "POST /admin/freeze", `{"kind":"agent","name":"a"}`},
		{func() error { _, err := c.Unfreeze(ctx, api.FreezeTarget{Kind: "secret", ID: "i"}); return err }, "POST /admin/unfreeze", `{"kind":"secret","id":"i"}`},
		{func() error { _, err := c.Freezes(ctx); return err }, "GET /admin/freezes", ""},
		{func() error { _, err := c.DenyGrant(ctx, "g"); return err }, "POST /admin/pending-grants/g/deny", ""},
		{func() error { _, err := c.DeletePendingGrant(ctx, "g"); return err }, "DELETE /admin/pending-grants/g", ""},
		{func() error { _, err := c.AllowedDaemons(ctx); return err }, "GET /admin/allowed-daemon-versions", ""},
		{func() error { _, err := c.AllowDaemon(ctx, api.AllowDaemon{BinarySHA256: "h"}); return err }, "POST /admin/allowed-daemon-versions", `{"binary_sha256":"h"}`},
		{func() error { _, err := c.DisallowDaemon(ctx, "h"); return err }, "DELETE /admin/allowed-daemon-versions/h", ""},
		{func() error { _, err := c.RevokeDaemonSession(ctx, "s/1"); return err }, "DELETE /admin/daemon-sessions/s%2F1", ""},
		{func() error { _, err := c.DaemonSessions(ctx); return err }, "GET /admin/daemon-sessions", ""},
	} {
		if err := row.call(); err != nil || got != row.want || body != row.body {
			t.Errorf("%s: sent %s %s, %v", row.want, got, body, err)
		}
	}
	got = ""
	for _, id := range []string{"", ".", ".."} {
		if _, err := c.DeleteSecret(ctx, id); err == nil || got != "" {
			t.Errorf("id %q: %v, sent %s", id, err, got)
		}
	}
}

func TestAdminNeedsAToken(t *testing.T) {
	c, _ := New(Config{URL: "https://v.example", HTTP: &http.Client{Transport: noPackets{t}}})
	if _, err := c.Secrets(t.Context(), SecretFilter{}); !errors.Is(err, ErrNoAdminToken) || !strings.Contains(Hint(err), "ADMIN_TOKEN") {
		t.Errorf("%v", err)
	}
}

func TestHealthAndJWKS(t *testing.T) {
	if h, clock, err := answering(t, fixed(503, "", `{"status":"sealed","db":"ok"}`)).Health(t.Context()); err != nil || h.Status != "sealed" || time.Since(clock).Abs() > time.Minute {
		t.Errorf("%+v, %v", h, err)
	}
	if _, _, err := answering(t, fixed(404, "", ``)).Health(t.Context()); err == nil {
		t.Error("404 is health")
	}
	if _, _, err := answering(t, fixed(200, "", `<html>`)).Health(t.Context()); !errors.Is(err, ErrAnswer) {
		t.Errorf("HTML is health: %v", err)
	}
	set, err := answering(t, fixed(200, "", `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"k","x":"x","alg":"EdDSA"}]}`)).JWKS(t.Context())
	if err != nil || len(set.Keys) != 1 || set.Keys[0].KID != "k" {
		t.Errorf("%+v, %v", set, err)
	}
}

// No error text holds what a request was authenticated with.
func TestErrorsHoldNoSecrets(t *testing.T) {
	c, _ := New(Config{URL: "https://v.example", AdminToken: opaque.New([]byte("hush")), HTTP: &http.Client{Transport: failing{}}})
	_, one := c.CreateSecret(t.Context(), api.CreateSecret{Value: api.NewValue([]byte("hush"))})
	_, two := c.ProjectSecrets(t.Context(), "p", opaque.New([]byte("hush")), nil, CallerContext{})
	for _, err := range []error{one, two} {
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v", err)
		}
	}
}

type failing struct{}

func (failing) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, &url.Error{Op: r.Method, URL: r.URL.String(), Err: errors.New("down")}
}

func FuzzProblem(f *testing.F) {
	for _, s := range []string{`{"error":"x","error_code":"c"}`, "plain", "", "\x1b]0;x\a", `{"error":""}`, "\xff"} {
		f.Add(401, []byte(s), "5")
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		base := &url.URL{Scheme: "https", Host: "v.example"}
		err := answer{status, http.Header{"Retry-After": {after}}, body}.problem(base)
		e, ok := errors.AsType[*api.Error](err)
		if !ok || e.Message == "" || strings.ContainsAny(e.Error(), "\n\r\x1b") || len(e.Message) > 600 || e.RetryAfter < 0 {
			t.Fatalf("%q: %#v", body, err)
		}
		if _, err := json.Marshal(e); err != nil {
			t.Fatal(err)
		}
	})
}

// What a server says is shown to people: what could play tricks on a terminal is
// no answer.
func TestAnswersAreGraphic(t *testing.T) {
	var answer string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, answer)
	}))
	defer srv.Close()
	c, err := New(Config{URL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"\u001b]0;x", "a b", "a\nb", "\u202e", "\u009b", "é"} {
		text, _ := json.Marshal(bad)
		answer = `{"project_token":` + string(text) + `}`
		if _, err := c.Discover(t.Context(), api.DiscoverRequest{}, nil); !errors.Is(err, ErrAnswer) {
			t.Errorf("project token %q: %v", bad, err)
		}
		answer = `{"access_token":` + string(text) + `}`
		if _, err := c.DeviceToken(t.Context(), api.DeviceTokenRequest{}); !errors.Is(err, ErrAnswer) {
			t.Errorf("access token %q: %v", bad, err)
		}
		if bad == "a b" || bad == "é" {
			continue // escaped in a URL
		}
		if u, err := c.ApprovalURL(api.DeviceAuthorization{VerificationURI: "/device?" + bad}); !errors.Is(err, ErrAnswer) {
			t.Errorf("page %q: %q, %v", bad, u, err)
		}
	}
	for _, bad := range []string{"-1", "315360001", "9223372036854775807"} {
		answer = `{"access_token":"x","expires_in":` + bad + `}`
		if _, err := c.DeviceToken(t.Context(), api.DeviceTokenRequest{}); !errors.Is(err, ErrAnswer) {
			t.Errorf("expires_in %s: %v", bad, err)
		}
	}
}
