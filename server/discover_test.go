package server_test

import (
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

// unlimited has attestation on and no rate limits.
func unlimited(t *testing.T) *servertest.Server {
	t.Helper()
	return servertest.With(t, servertest.Config{Unlimited: true})
}

// both runs a test with attestation and without.
func both(t *testing.T, test func(t *testing.T, s *servertest.Server)) {
	t.Run("attested", func(t *testing.T) { test(t, unlimited(t)) })
	t.Run("unattested", func(t *testing.T) {
		test(t, servertest.With(t, servertest.Config{Unlimited: true, NoAttestation: true}))
	})
}

// staged returns an agent and two secrets granted to project "app", which
// nobody has approved yet.
func staged(t *testing.T, s *servertest.Server) *servertest.Agent {
	t.Helper()
	s.Grant(t, "app", s.Secret(t, "openai_api_key", "sk-1"))
	s.Grant(t, "app", s.Secret(t, "db/password", "hunter22"))
	return s.Enrol(t, "bot")
}

func TestDiscoverAndFetch(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		answer := a.Send(t, a.Discovery("app", "OPENAI_API_KEY", "PASSWORD"))
		wantError(t, answer, http.StatusForbidden, api.PendingApproval)
		var pending api.Error
		answer.JSON(t, &pending)
		slices.Sort(pending.Details.RequestedKeys)
		if d := pending.Details; d.AgentID != "bot" || d.ProjectName != "app" || !slices.Equal(d.RequestedKeys, []string{"OPENAI_API_KEY", "PASSWORD"}) {
			t.Errorf("details %+v", d)
		}
		again := a.Send(t, a.Discovery("app", "OPENAI_API_KEY", "PASSWORD"))
		if string(again.Body) != string(answer.Body) {
			t.Errorf("a second request waits for something else: %s", again.Body)
		}

		d := a.Obtain(t, "app", "OPENAI_API_KEY", "PASSWORD")
		if !d.FullMatched || len(d.UnmatchedKeys) != 0 || d.Namespace != "default" || d.TTL != 1209600 || len(d.Token) != 64 || d.Signed != "" {
			t.Errorf("discovered %+v", d)
		}
		if expires, err := time.Parse(time.DateTime, d.Expires); err != nil || time.Until(expires) < 14*24*time.Hour-time.Minute {
			t.Errorf("expires %q, %v", d.Expires, err)
		}
		if d.MappedKeys["PASSWORD"] != "db/password" || !slices.Equal(d.Scope, []string{"db/password", "openai_api_key"}) {
			t.Errorf("mapped %v, scope %v", d.MappedKeys, d.Scope)
		}
		values := a.Values(t, "app", d.Token)
		if len(values) != 2 || values["OPENAI_API_KEY"] != "sk-1" || values["PASSWORD"] != "hunter22" {
			t.Errorf("values %v", values)
		}
	})
}

func TestDiscoverAnswerMembers(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	d := a.Discovery("app", "OPENAI_API_KEY", "NOPE", "NOPE")
	d.RegenerateToken, d.SignedToken = new(true), true
	var body map[string]any
	a.Send(t, d).JSON(t, &body)
	wantMembers(t, body, "mapped_keys", "full_matched", "project_token", "token_expires_at", "token_ttl_seconds",
		"unmatched_keys", "namespace", "scope", "signed_project_token")
	if body["full_matched"] != false {
		t.Error("fully matched")
	}
	if unmatched, _ := json.Marshal(body["unmatched_keys"]); string(unmatched) != `["NOPE","NOPE"]` {
		t.Errorf("unmatched %s", unmatched)
	}
}

// A body is the one that its daemon signed.
func TestAnotherBody(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	signed, err := json.Marshal(a.Discovery("app", "OPENAI_API_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{"X-Daemon-Attestation": {a.Sign("POST", "/agent/discover", signed, proof.AgentTokenID(a.ID))}}
	other := strings.Replace(string(signed), "OPENAI_API_KEY", "PASSWORD", 1)
	wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Header: h, Body: other}), http.StatusUnauthorized, api.Unauthorized)
	if rows := auditRows(t, s, "attestation"); len(rows) != 1 || rows[0]["status"] != "failed" {
		t.Errorf("recorded %v", rows)
	}
	// It used nothing up.
	wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Header: h, Body: signed}), http.StatusForbidden, api.PendingApproval)
}

func TestRediscover(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	first := a.Obtain(t, "app", "OPENAI_API_KEY")
	wantError(t, a.Send(t, a.Discovery("app", "OPENAI_API_KEY")), http.StatusConflict, api.Conflict)
	again := a.Discovery("app", "OPENAI_API_KEY")
	again.RegenerateToken = new(true)
	var second servertest.Discovered
	a.Send(t, again).JSON(t, &second)
	if second.Token == first.Token || len(second.Token) != 64 {
		t.Errorf("token %q after %q", second.Token, first.Token)
	}
	if answer := a.Fetch(t, "app", first.Token); answer.Status != http.StatusUnauthorized {
		t.Errorf("the old token: %d %s", answer.Status, answer.Body)
	}
	a.Values(t, "app", second.Token)
}

func TestSignedToken(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	a.Obtain(t, "app", "OPENAI_API_KEY")
	d := a.Discovery("app", "OPENAI_API_KEY")
	d.RegenerateToken, d.SignedToken = new(true), true
	var got servertest.Discovered
	a.Send(t, d).JSON(t, &got)
	if strings.Count(got.Signed, ".") != 2 {
		t.Fatalf("signed token %q", got.Signed)
	}
	if values := a.Values(t, "app", got.Signed); values["OPENAI_API_KEY"] != "sk-1" {
		t.Errorf("values %v", values)
	}
	wantError(t, a.Fetch(t, "other", got.Signed), http.StatusUnauthorized, api.Unauthorized)

	s.Admin(t, "POST", "/admin/projects/app/revoke", nil, nil)
	wantError(t, a.Fetch(t, "app", got.Signed), http.StatusUnauthorized, api.TokenRevoked)
	wantError(t, a.Fetch(t, "app", got.Token), http.StatusUnauthorized, api.TokenRevoked)
	// A new token does not bring the old ones back.
	fresh := a.Discover(t, "app", "OPENAI_API_KEY")
	if fresh.Token == got.Token {
		t.Error("the revoked token was given out again")
	}
	a.Values(t, "app", fresh.Token)
	for _, old := range []string{got.Signed, got.Token} {
		if answer := a.Fetch(t, "app", old); answer.Status != http.StatusUnauthorized {
			t.Errorf("an old token reads again: %d", answer.Status)
		}
	}
}

func TestDiscoverRefusesBadProofs(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		other := s.Register(t, "other")
		ts := func(n int64) *int64 { return &n }
		for name, change := range map[string]func(*servertest.Discovery){
			"another key": func(d *servertest.Discovery) {
				d.AuthProof = proof.EncodeSignature(ed25519.Sign(other.Key, proof.AgentMessage(*d.TS, *d.Nonce, d.AgentID)))
			},
			"another agent": func(d *servertest.Discovery) { d.AgentID = "other" },
			"unknown agent": func(d *servertest.Discovery) { d.AgentID = "nobody" },
			"no ts":         func(d *servertest.Discovery) { d.TS = nil },
			"no nonce":      func(d *servertest.Discovery) { d.Nonce = nil },
			"other nonce":   func(d *servertest.Discovery) { d.Nonce = new("0123456789abcdef") },
			"not base64":    func(d *servertest.Discovery) { d.AuthProof = "%%%" },
			"extreme ts":    func(d *servertest.Discovery) { d.TS = ts(-1 << 63) },
		} {
			d := a.Discovery("app", "OPENAI_API_KEY")
			change(&d)
			answer := a.Send(t, d)
			if answer.Status != http.StatusUnauthorized || answer.Code() != "unauthorized" {
				t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
			}
		}
		for _, skew := range []int64{-3600, -301, 330, 3600} { // the vault looks some time later
			d := a.Discovery("app", "OPENAI_API_KEY")
			*d.TS = time.Now().Unix() + skew
			d.AuthProof = proof.EncodeSignature(ed25519.Sign(a.Key, proof.AgentMessage(*d.TS, *d.Nonce, a.ID)))
			wantError(t, a.Send(t, d), http.StatusUnauthorized, api.Unauthorized)
		}
	})
}

func TestDiscoverBadBodies(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	good, err := json.Marshal(a.Discovery("app", "OPENAI_API_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	for name, body := range map[string]string{
		"empty":             ``,
		"not json":          `x`,
		"trailing":          string(good) + `{}`,
		"twice":             strings.Replace(string(good), `{`, `{"agent_id":"bot",`, 1),
		"case":              strings.Replace(string(good), `"agent_id"`, `"Agent_id"`, 1),
		"no agent id":       `{"auth_proof":"x","context":{"project_name":"p","file_content":""}}`,
		"no proof":          `{"agent_id":"bot","context":{"project_name":"p","file_content":""}}`,
		"no context":        `{"agent_id":"bot","auth_proof":"x"}`,
		"null project":      `{"agent_id":"bot","auth_proof":"x","context":{"project_name":null,"file_content":""}}`,
		"wrong shape":       `{"agent_id":["bot"]}`,
		"null signed_token": strings.Replace(string(good), `{`, `{"signed_token":null,`, 1),
		"invalid utf-8":     strings.Replace(string(good), `"bot"`, "\"b\xff\"", 1),
		"deep":              strings.Replace(string(good), `{`, `{"x":`+strings.Repeat("[", 40)+strings.Repeat("]", 40)+`,`, 1),
	} {
		answer := a.SendRaw(t, []byte(body))
		if answer.Status != http.StatusBadRequest || answer.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

func TestDiscoverRefusesBadNames(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	for name, change := range map[string]func(*servertest.Discovery){
		"empty project": func(d *servertest.Discovery) { d.Context["project_name"] = "" },
		"html":          func(d *servertest.Discovery) { d.Context["project_name"] = `x" onmouseover="y` },
		"dots":          func(d *servertest.Discovery) { d.Context["project_name"] = ".." },
		"too many":      func(d *servertest.Discovery) { d.Context["file_content"] = strings.Repeat("A=1\n", 5000) },
	} {
		d := a.Discovery("app", "OPENAI_API_KEY")
		change(&d)
		answer := a.Send(t, d)
		if answer.Status != http.StatusBadRequest || answer.Code() != string(api.InvalidRequest) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

// No client sends a content type that could be checked here.
func TestDiscoverTakesAnyContentType(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	body, err := json.Marshal(a.Discovery("app", "OPENAI_API_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	answer := s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Body: body, Header: http.Header{
		"Content-Type":         {"text/plain"},
		"X-Daemon-Attestation": {a.Sign("POST", "/agent/discover", body, "agent:bot")},
	}})
	wantError(t, answer, http.StatusForbidden, api.PendingApproval)
}

func TestReplay(t *testing.T) {
	both(t, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		a.Obtain(t, "app", "OPENAI_API_KEY")
		d := a.Discovery("app", "OPENAI_API_KEY")
		d.RegenerateToken = new(true)
		if first := a.Send(t, d); first.Status != http.StatusOK {
			t.Fatalf("%d %s", first.Status, first.Body)
		}
		again := a.Send(t, d) // the attestation is new, the proof is not
		wantError(t, again, http.StatusUnauthorized, api.Unauthorized)
		if !strings.Contains(string(again.Body), "replay") {
			t.Errorf("the word clients look for is missing: %s", again.Body)
		}
	})
}

func TestAttestationIsChecked(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	other := s.Enrol(t, "other")
	send := func(header string) servertest.Answer {
		h := http.Header{"Authorization": {"Bearer " + token}}
		if header != "" {
			h.Set("X-Daemon-Attestation", header)
		}
		return s.Do(t, servertest.Request{Method: "GET", Path: "/project/secrets/app?x=1", Header: h})
	}
	id := proof.AuthTokenID(token)
	good := a.Sign("GET", "/project/secrets/app", nil, id)
	if answer := send(good); answer.Status != http.StatusOK {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	parts := strings.Split(a.Sign("GET", "/project/secrets/app", nil, id), ".")
	tampered := func(i int, value string) string {
		p := slices.Clone(parts)
		p[i] = value
		return strings.Join(p, ".")
	}
	for name, header := range map[string]string{
		"none":             "",
		"replayed":         good,
		"other method":     a.Sign("POST", "/project/secrets/app", nil, id),
		"other path":       a.Sign("GET", "/project/secrets/app2", nil, id),
		"with query":       a.Sign("GET", "/project/secrets/app?x=1", nil, id),
		"other body":       a.Sign("GET", "/project/secrets/app", []byte("x"), id),
		"other token":      a.Sign("GET", "/project/secrets/app", nil, proof.AuthTokenID("x")),
		"other agent":      other.Sign("GET", "/project/secrets/app", nil, id),
		"unknown session":  tampered(0, "11111111-2222-4333-8444-555555555555"),
		"other session":    tampered(0, other.SessionID),
		"other time":       tampered(1, "1714248000"),
		"other id":         tampered(2, "x"),
		"five segments":    strings.Join(parts[:5], "."),
		"seven segments":   strings.Join(parts, ".") + ".x",
		"padded signature": strings.Join(parts, ".") + "==",
		"garbage":          "hello",
	} {
		answer := send(header)
		if answer.Status != http.StatusUnauthorized || answer.Code() != string(api.Unauthorized) {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

// The signature is over the body as it came; whoever changes a byte of it on
// the way is found out before anything is decoded.
func TestAttestationCoversTheBody(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	body, err := json.Marshal(a.Discovery("app", "OPENAI_API_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{"X-Daemon-Attestation": {a.Sign("POST", "/agent/discover", body, "agent:bot")}}
	for _, changed := range []string{string(body) + " ", "not JSON at all", ""} {
		answer := s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Header: header, Body: changed})
		wantError(t, answer, http.StatusUnauthorized, api.Unauthorized)
	}
	answer := s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Header: header, Body: body})
	wantError(t, answer, http.StatusForbidden, api.PendingApproval)
}

func TestAttestationNamesTheAgent(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	other := s.Enrol(t, "other")
	body, err := json.Marshal(a.Discovery("app", "OPENAI_API_KEY"))
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{
		"another agent's daemon":        other.Sign("POST", "/agent/discover", body, "agent:bot"),
		"another agent's name":          a.Sign("POST", "/agent/discover", body, "agent:other"),
		"a bearer token":                a.Sign("POST", "/agent/discover", body, proof.AuthTokenID("x")),
		"another agent's daemon + name": other.Sign("POST", "/agent/discover", body, "agent:other"),
	} {
		answer := s.Do(t, servertest.Request{Method: "POST", Path: "/agent/discover", Body: body, Header: http.Header{"X-Daemon-Attestation": {header}}})
		if answer.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, answer.Status, answer.Body)
		}
	}
}

func TestDiscoverNeedsAttestation(t *testing.T) {
	s := unlimited(t)
	a := s.Register(t, "bot") // no session, so no header
	wantError(t, a.Send(t, a.Discovery("app", "X")), http.StatusUnauthorized, api.Unauthorized)
}

func TestProjectOfAnotherAgent(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	thief := s.Enrol(t, "thief")
	wantError(t, thief.Send(t, thief.Discovery("app", "OPENAI_API_KEY")), http.StatusForbidden, api.ProjectAgentMismatch)
	wantError(t, thief.Fetch(t, "app", token), http.StatusUnauthorized, api.Unauthorized)
}

// Unknown projects and bad tokens cannot be told apart.
func TestProjectsCannotBeEnumerated(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	bad := a.Fetch(t, "app", strings.Repeat("ab", 32))
	wantError(t, bad, http.StatusUnauthorized, api.Unauthorized)
	for _, project := range []string{"nothing-there", "app2", "with space", "a/b", "%2e%2e"} {
		for _, bearer := range []string{token, strings.Repeat("cd", 32), "a.b.c", "x"} {
			if answer := a.Fetch(t, project, bearer); string(answer.Body) != string(bad.Body) || answer.Status != bad.Status {
				t.Errorf("%s: %d %s", project, answer.Status, answer.Body)
			}
		}
	}
}

func TestDiscoverLimitIsPerAgent(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Rates{Discover: limit.Defaults().Discover}})
	a, b := s.Enrol(t, "a"), s.Enrol(t, "b")
	for range 5 {
		if answer := a.Send(t, a.Discovery("p")); answer.Status == http.StatusTooManyRequests {
			t.Fatalf("%s", answer.Body)
		}
	}
	over := a.Send(t, a.Discovery("p"))
	wantError(t, over, http.StatusTooManyRequests, api.RateLimited)
	if after := over.Header.Get("Retry-After"); after == "" || after == "0" {
		t.Errorf("Retry-After %q", after)
	}
	// Nobody else is affected, and nobody can use up another's share by naming it.
	d := b.Discovery("p")
	d.AgentID = "a"
	for range 5 {
		if answer := b.Send(t, d); answer.Status != http.StatusUnauthorized {
			t.Fatalf("%d %s", answer.Status, answer.Body)
		}
	}
	c := s.Enrol(t, "c")
	if answer := c.Send(t, c.Discovery("p")); answer.Status == http.StatusTooManyRequests {
		t.Errorf("another agent: %s", answer.Body)
	}
}
