package server_test

import (
	"crypto/ed25519"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
	"github.com/cortex-auth/cortex/vault/token"
)

// wantStandard fails the test unless the answer is as OAuth clients expect.
func wantStandard(t *testing.T, a servertest.Answer, code api.Code) {
	t.Helper()
	want := `{"error":"` + string(code) + `","error_code":"` + string(code) + `"}` + "\n"
	if a.Status != http.StatusBadRequest || string(a.Body) != want {
		t.Errorf("%d %s, want %s", a.Status, a.Body, want)
	}
}

func approve(t *testing.T, s *servertest.Server, body map[string]any) servertest.Answer {
	t.Helper()
	return s.TryAdmin(t, "POST", "/admin/web/device/approve", body)
}

// enrolled returns a host that was let in as a new agent.
func enrolled(t *testing.T, s *servertest.Server, id string) *servertest.Host {
	t.Helper()
	h := s.Host(t, id)
	if a := h.Begin(t, h.Init()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": id}); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := h.Poll(t); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	return h
}

// A host with a proof is let in, step by step, as a new agent.
func TestEnrolWithProof(t *testing.T) {
	s := unlimited(t)
	h := s.Host(t, "bot")
	begun := h.Begin(t, h.Init())
	var answer map[string]any
	begun.JSON(t, &answer)
	if answer["verification_uri"] != s.URL+"/device" || answer["verification_uri_complete"] != s.URL+"/device?user_code="+h.UserCode {
		t.Errorf("%v", answer)
	}
	wantStandard(t, h.Poll(t), api.AuthorizationPending)
	wantError(t, poll(t, s, h.DeviceCode), http.StatusUnauthorized, api.Unauthorized) // without a proof

	var seen map[string]any
	s.Admin(t, "POST", "/admin/web/device/lookup", map[string]string{"user_code": h.UserCode}, &seen)
	wantMembers(t, seen, "user_code", "proved", "agent_id", "namespace", "fingerprint", "hostname", "os", "cli_version", "origin", "source_ip", "created_at", "expires_at", "new_agent", "key_change")
	if seen["agent_id"] != "bot" || seen["namespace"] != "default" || seen["hostname"] != "host-of-bot" || seen["new_agent"] != true || seen["key_change"] != false ||
		!strings.HasPrefix(seen["fingerprint"].(string), "SHA256:") || seen["source_ip"] != "127.0.0.1" || seen["origin"] != s.URL {
		t.Errorf("%v", seen)
	}
	wantError(t, approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "other"}), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "bot"}), http.StatusOK, `{"approved":true,"user_code":"`+h.UserCode+`","agent_id":"bot"}`)
	first := h.Poll(t)
	if first.JSON(t, &answer); first.Status != http.StatusOK || answer["expires_in"] != 86400.0 {
		t.Errorf("%d %s", first.Status, first.Body)
	}
	wantStandard(t, h.Poll(t), api.InvalidGrant) // single use

	if a := h.AttestWith(t, h.AttestBody()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	id := s.Secret(t, "key", "v")
	s.Grant(t, "app", id)
	if got := h.Values(t, "app", h.Obtain(t, "app", "KEY").Token); got["KEY"] != "v" {
		t.Errorf("%v", got)
	}
	var list []map[string]any
	s.Admin(t, "GET", "/admin/devices", nil, &list)
	if list[0]["proved"] != true || list[0]["hostname"] != "host-of-bot" || list[0]["last_used_at"] == nil {
		t.Errorf("%v", list[0])
	}
}

func TestProofThatIsNone(t *testing.T) {
	s := unlimited(t)
	h, other := s.Host(t, "bot"), s.Host(t, "bot")
	for name, change := range map[string]func(*api.DeviceAuthorizeRequest){
		"another's signature": func(d *api.DeviceAuthorizeRequest) { d.Proof = other.Init().Proof },
		"another's key":       func(d *api.DeviceAuthorizeRequest) { d.AgentPub = other.Init().AgentPub },
		"another agent":       func(d *api.DeviceAuthorizeRequest) { d.AgentID = new("admin-bot") },
		"another namespace":   func(d *api.DeviceAuthorizeRequest) { d.Namespace = "prod" },
		"another host":        func(d *api.DeviceAuthorizeRequest) { d.Hostname = "laptop" },
		"another nonce":       func(d *api.DeviceAuthorizeRequest) { d.Nonce = new("other-nonce") },
		"another time":        func(d *api.DeviceAuthorizeRequest) { d.TS = new(*d.TS + 1) },
	} {
		body := h.Init()
		change(&body)
		if a := h.Begin(t, body); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	for name, change := range map[string]func(*api.DeviceAuthorizeRequest){
		"no signature":   func(d *api.DeviceAuthorizeRequest) { d.Proof = nil },
		"no key":         func(d *api.DeviceAuthorizeRequest) { d.AgentPub = nil },
		"not a key":      func(d *api.DeviceAuthorizeRequest) { d.AgentPub = new("AAAA") },
		"a bar":          func(d *api.DeviceAuthorizeRequest) { d.Hostname = "a|b" },
		"a bad id":       func(d *api.DeviceAuthorizeRequest) { d.AgentID = new("a.b") },
		"another origin": func(d *api.DeviceAuthorizeRequest) { d.Origin = "https://vault.example.com" },
		"no origin":      func(d *api.DeviceAuthorizeRequest) { d.Origin = "" },
	} {
		body := h.Init()
		change(&body)
		if a := h.Begin(t, body); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	body := h.Init()
	if a := h.Begin(t, body); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	a := h.Begin(t, body)
	wantError(t, a, http.StatusUnauthorized, api.Unauthorized)
	if !strings.Contains(string(a.Body), "replay") {
		t.Errorf("%s", a.Body)
	}
}

// A device code alone, or with the proof of another poll, is worth nothing.
func TestStolenDeviceCode(t *testing.T) {
	s := unlimited(t)
	h, other := s.Host(t, "bot"), s.Host(t, "bot")
	h.Begin(t, h.Init())
	if a := approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "bot"}); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	now := time.Now().Unix()
	poll := func(key ed25519.PrivateKey, code string, signed, sent int64) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/token", Body: map[string]any{
			"device_code": h.DeviceCode, "poll_ts": sent, "poll_proof": proof.EncodeSignature(ed25519.Sign(key, proof.PollMessage(code, signed))),
		}})
	}
	for name, a := range map[string]servertest.Answer{
		"another key":      poll(other.Key, h.DeviceCode, now, now),
		"another code":     poll(h.Key, strings.Repeat("ab", 32), now, now),
		"another time":     poll(h.Key, h.DeviceCode, now-1, now),
		"ten minutes ago":  poll(h.Key, h.DeviceCode, now-600, now-600),
		"in ten minutes":   poll(h.Key, h.DeviceCode, now+600, now+600),
		"before the epoch": poll(h.Key, h.DeviceCode, -1, -1),
	} {
		t.Run(name, func(t *testing.T) { wantStandard(t, a, api.InvalidGrant) })
	}
	half := s.Do(t, servertest.Request{Method: "POST", Path: "/device/token", Body: map[string]any{"device_code": h.DeviceCode, "poll_ts": now}})
	wantError(t, half, http.StatusBadRequest, api.InvalidRequest)
	if a := poll(h.Key, h.DeviceCode, now, now); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	wantStandard(t, poll(h.Key, h.DeviceCode, now, now), api.InvalidGrant)
}

// Another key for a known agent is seen, has to be meant, and ends what the old
// one had.
func TestKeyChange(t *testing.T) {
	s := unlimited(t)
	s.Grant(t, "app", s.Secret(t, "key", "v"))
	old := enrolled(t, s, "bot")
	if a := old.AttestWith(t, old.AttestBody()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	bearer := old.Obtain(t, "app", "KEY").Token

	thief := s.Host(t, "bot")
	thief.Begin(t, thief.Init())
	var seen map[string]any
	s.Admin(t, "POST", "/admin/web/device/lookup", map[string]string{"user_code": thief.UserCode}, &seen)
	if seen["key_change"] != true || seen["new_agent"] != false {
		t.Errorf("%v", seen)
	}
	body := map[string]any{"user_code": thief.UserCode, "agent_id": "bot"}
	wantError(t, approve(t, s, body), http.StatusBadRequest, api.InvalidRequest)
	body["key_change"] = true
	approver := logIn(t, s, "alice", "approver")
	wantError(t, as(t, s, approver, "POST", "/admin/web/device/approve", body), http.StatusForbidden, api.Forbidden)
	if got := old.Values(t, "app", bearer); got["KEY"] != "v" {
		t.Errorf("before it is changed: %v", got)
	}
	manager := logIn(t, s, "bob", "admin")
	if a := as(t, s, manager, "POST", "/admin/web/device/approve", body); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	wantError(t, old.Fetch(t, "app", bearer), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, old.AttestWith(t, old.AttestBody()), http.StatusUnauthorized, api.Unauthorized)
	wantStandard(t, old.Assert(t, token.NewAssertion("bot", "jti-of-the-old-one")), api.InvalidGrant)
	if a := thief.Poll(t); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if a := thief.AttestWith(t, thief.AttestBody()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	// Approvals were the old key's.
	if a := thief.Send(t, thief.Discovery("app", "KEY")); a.Code() != string(api.PendingApproval) {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	var rows []map[string]any
	s.Admin(t, "GET", "/admin/audit-logs", nil, &rows)
	found := false
	for _, r := range rows {
		found = found || r["action"] == "agent_key_change" && r["status"] == "alarm"
	}
	if !found {
		t.Error("no alarm")
	}
}

// Who has shown a proof once is not let in with less.
func TestNoDowngrade(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, AttestLimit: -1})
	h := enrolled(t, s, "bot")
	begun := authorize(t, s)
	wantError(t, approve(t, s, map[string]any{"user_code": begun["user_code"], "agent_id": "bot"}), http.StatusForbidden, api.ProofRequired)
	wantError(t, h.Attest(t), http.StatusForbidden, api.ProofRequired) // the bare form

	half := h.AttestBody()
	half.AgentProof = nil
	wantError(t, h.AttestWith(t, half), http.StatusBadRequest, api.InvalidRequest)
	for name, change := range map[string]func(*api.AttestRequest){
		"another key":     func(r *api.AttestRequest) { r.AttestationPub = s.Host(t, "x").AttestBody().AttestationPub },
		"another program": func(r *api.AttestRequest) { r.BinarySHA256 = strings.Repeat("1", 64) },
		"another boot":    func(r *api.AttestRequest) { r.BootID = new("later") },
		"another start":   func(r *api.AttestRequest) { r.StartedAt = new(int64(1)) },
		"another process": func(r *api.AttestRequest) { r.DaemonPID = new(int64(1)) },
		"another nonce":   func(r *api.AttestRequest) { r.Nonce = new("other-nonce") },
	} {
		body := h.AttestBody()
		change(&body)
		if a := h.AttestWith(t, body); a.Status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	body := h.AttestBody()
	if a := h.AttestWith(t, body); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	wantError(t, h.AttestWith(t, body), http.StatusUnauthorized, api.Unauthorized) // a replay

	// An agent of the older kind that attests with a proof has shown it, too.
	bare := s.Register(t, "older")
	bare.Login(t)
	if a := bare.Attest(t); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	newer := &servertest.Host{Agent: bare, Hostname: "h"}
	if a := newer.AttestWith(t, newer.AttestBody()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	wantError(t, bare.Attest(t), http.StatusForbidden, api.ProofRequired)
}

func TestProofRequired(t *testing.T) {
	s := servertest.With(t, servertest.Config{Unlimited: true, RequireProof: true})
	wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`}), http.StatusForbidden, api.ProofRequired)
	h := enrolled(t, s, "bot")
	wantError(t, h.Attest(t), http.StatusForbidden, api.ProofRequired)
	if a := h.AttestWith(t, h.AttestBody()); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}
}

// An agent gets access tokens by its key alone; each ends the one before.
func TestAssertion(t *testing.T) {
	s := unlimited(t)
	h := enrolled(t, s, "bot")
	before := h.AccessToken
	if a := h.Assert(t, token.NewAssertion("bot", "first-jti")); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	now := h.AccessToken
	h.AccessToken = before
	wantError(t, h.AttestWith(t, h.AttestBody()), http.StatusUnauthorized, api.Unauthorized)
	h.AccessToken = now
	if a := h.AttestWith(t, h.AttestBody()); a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	good := token.NewAssertion("bot", "second-jti")
	for name, change := range map[string]func(*token.Assertion){
		"used before":      func(a *token.Assertion) { a.ID = "first-jti"; a.IssuedAt = good.IssuedAt },
		"no id":            func(a *token.Assertion) { a.ID = "" },
		"another audience": func(a *token.Assertion) { a.Audience = "cortex-daemon" },
		"another subject":  func(a *token.Assertion) { a.Subject = "other" },
		"nobody":           func(a *token.Assertion) { a.Subject, a.Issuer = "nobody", "nobody" },
		"expired":          func(a *token.Assertion) { a.IssuedAt -= 120; a.Expires = a.IssuedAt + 60 },
		"good for ever":    func(a *token.Assertion) { a.Expires += 3600 },
		"from tomorrow":    func(a *token.Assertion) { a.IssuedAt += 86400; a.Expires += 86400 },
	} {
		a := good
		change(&a)
		if name == "used before" {
			h.Assert(t, a) // at the same second as the first or not: once is the most
		}
		wantStandard(t, h.Assert(t, a), api.InvalidGrant)
	}
	other := s.Host(t, "bot")
	wantStandard(t, other.Assert(t, good), api.InvalidGrant)
	for _, bad := range []any{"", "a.b.c", "x", strings.Repeat("x", 3000)} {
		a := s.Do(t, servertest.Request{Method: "POST", Path: "/device/token", Body: map[string]any{"grant_type": api.GrantTypeAssertion, "assertion": bad}})
		wantStandard(t, a, api.InvalidGrant)
	}
	// A device of the older kind gets none this way.
	bare := s.Register(t, "older")
	bare.Login(t)
	wantStandard(t, (&servertest.Host{Agent: bare}).Assert(t, token.NewAssertion("older", "third-jti")), api.InvalidGrant)
	// Neither does one that was deleted.
	s.Admin(t, "DELETE", "/admin/devices/bot", nil, nil)
	wantStandard(t, h.Assert(t, token.NewAssertion("bot", "fourth-jti")), api.InvalidGrant)
}

// An agent ends its own log-ins, and nobody else's.
func TestDeviceLogout(t *testing.T) {
	s := unlimited(t)
	s.Grant(t, "app", s.Secret(t, "key", "v"))
	logOut := func(bearer string) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/logout", Header: http.Header{"Authorization": {"Bearer " + bearer}}})
	}
	open := func(h *servertest.Host) {
		t.Helper()
		if a := h.AttestWith(t, h.AttestBody()); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	h, other := enrolled(t, s, "bot"), enrolled(t, s, "other")
	open(h)
	open(other)
	bearer := h.Obtain(t, "app", "KEY").Token

	wantError(t, logOut(bearer), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, logOut("x"), http.StatusUnauthorized, api.Unauthorized)
	if got := h.Values(t, "app", bearer); got["KEY"] != "v" {
		t.Errorf("%v", got)
	}
	access := h.AccessToken
	wantBody(t, logOut(access), http.StatusOK, `{"deleted":true,"rows":1}`)
	wantError(t, logOut(access), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, h.Fetch(t, "app", bearer), http.StatusUnauthorized, api.TokenRevoked)
	wantError(t, h.AttestWith(t, h.AttestBody()), http.StatusUnauthorized, api.Unauthorized)
	wantStandard(t, h.Assert(t, token.NewAssertion("bot", "after-the-end")), api.InvalidGrant)
	if a := other.Assert(t, token.NewAssertion("other", "goes-on-as-before")); a.Status != http.StatusOK {
		t.Errorf("%d %s", a.Status, a.Body)
	}

	// What was approved is good again with the next log-in.
	h.Begin(t, h.Init())
	approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "bot"})
	h.Poll(t)
	open(h)
	if got := h.Values(t, "app", h.Obtain(t, "app", "KEY").Token); got["KEY"] != "v" {
		t.Errorf("%v", got)
	}
	bare := s.Register(t, "older")
	bare.Login(t)
	wantBody(t, logOut(bare.AccessToken), http.StatusOK, `{"deleted":true,"rows":1}`)
	wantError(t, bare.Attest(t), http.StatusUnauthorized, api.Unauthorized)
}

func TestDeviceDenied(t *testing.T) {
	s := unlimited(t)
	h := s.Host(t, "bot")
	h.Begin(t, h.Init())
	wantBody(t, s.TryAdmin(t, "POST", "/admin/web/device/deny", map[string]string{"user_code": h.UserCode}), http.StatusOK, `{"denied":true,"user_code":"`+h.UserCode+`"}`)
	wantStandard(t, h.Poll(t), api.AccessDenied)
	wantError(t, approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "bot"}), http.StatusNotFound, api.NotFound)
	begun := authorize(t, s)
	s.Admin(t, "POST", "/admin/web/device/deny", map[string]any{"user_code": begun["user_code"]}, nil)
	wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.Unauthorized)
}

// Six codes that nobody has, and whoever tries them is out, also with another
// account or from another place.
func TestGuessingUserCodes(t *testing.T) {
	rates := limit.Defaults()
	rates.Authorize, rates.Logins = limit.Rate{}, limit.Rate{}
	s := servertest.With(t, servertest.Config{Limits: rates})
	h := s.Host(t, "bot")
	h.Begin(t, h.Init())
	for i, path := range []string{"lookup", "approve", "deny", "lookup", "lookup", "lookup", "lookup"} {
		a := s.TryAdmin(t, "POST", "/admin/web/device/"+path, map[string]string{"user_code": "BBBB-BBBB", "agent_id": "bot"})
		if want := map[bool]int{true: http.StatusNotFound, false: http.StatusTooManyRequests}[i < 6]; a.Status != want {
			t.Errorf("try %d: %d %s", i, a.Status, a.Body)
		}
	}
	wantError(t, s.TryAdmin(t, "POST", "/admin/web/device/lookup", map[string]string{"user_code": h.UserCode}), http.StatusTooManyRequests, api.RateLimited)
}

// A device that was not used for 90 days has to be approved again.
func TestUnusedDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := servertest.With(t, servertest.Config{Unlimited: true, Direct: true})
		h := s.Host(t, "bot")
		if a := h.Begin(t, h.Init()); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		approve(t, s, map[string]any{"user_code": h.UserCode, "agent_id": "bot"})
		h.Poll(t)
		time.Sleep(89 * 24 * time.Hour)
		if a := h.Assert(t, token.NewAssertion("bot", "jti-of-day-89")); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		time.Sleep(89 * 24 * time.Hour)
		if a := h.Assert(t, token.NewAssertion("bot", "jti-of-day-178")); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		time.Sleep(90 * 24 * time.Hour)
		wantStandard(t, h.Assert(t, token.NewAssertion("bot", "jti-too-late")), api.InvalidGrant)

		h.Begin(t, h.Init())
		time.Sleep(11 * time.Minute)
		wantStandard(t, h.Poll(t), api.ExpiredToken)
	})
}

func TestFingerprint(t *testing.T) {
	if got := proof.Fingerprint(make([]byte, 32)); got != "SHA256:Zmh6rfhivXdsj8GLjp+OIAiXFIVu4jOzkCpZHQ1fKSU" {
		t.Error(got)
	}
}
