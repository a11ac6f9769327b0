package server_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
	"github.com/cortex-auth/cortex/vault/proof"
)

func tokenID(bearer string) string { return proof.AuthTokenID(bearer) }

// authorize begins a device login.
func authorize(t *testing.T, s *servertest.Server) map[string]any {
	t.Helper()
	a := s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`})
	if a.Status != http.StatusOK {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	var begun map[string]any
	a.JSON(t, &begun)
	return begun
}

func poll(t *testing.T, s *servertest.Server, code any) servertest.Answer {
	t.Helper()
	return s.Do(t, servertest.Request{Method: "POST", Path: "/device/token", Body: map[string]any{"device_code": code, "grant_type": api.GrantTypeDeviceCode}})
}

func TestDeviceFlow(t *testing.T) {
	s := servertest.New(t)
	s.Register(t, "bot")
	begun := authorize(t, s)
	wantMembers(t, begun, "device_code", "user_code", "verification_uri", "verification_uri_complete", "expires_in", "interval")
	if begun["verification_uri_complete"] != s.URL+"/device?user_code="+begun["user_code"].(string) {
		t.Errorf("%v", begun)
	}
	if begun["verification_uri"] != "/device" || begun["expires_in"] != 600.0 || begun["interval"] != 5.0 || len(begun["device_code"].(string)) != 64 {
		t.Errorf("%v", begun)
	}
	user := begun["user_code"].(string)
	if !regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ2-9]{4}-[BCDFGHJKLMNPQRSTVWXZ2-9]{4}$`).MatchString(user) {
		t.Errorf("user code %q", user)
	}
	wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.AuthorizationPending)

	approve := func(code, agent string) servertest.Answer {
		return s.TryAdmin(t, "POST", "/admin/web/device/approve", api.ApproveDevice{UserCode: code, AgentID: agent})
	}
	wantError(t, approve("BBBB-BBBB", "bot"), http.StatusNotFound, api.NotFound)
	wantError(t, approve(user, "nobody"), http.StatusBadRequest, api.InvalidRequest)
	wantBody(t, approve(" "+strings.ToLower(user)+" ", " bot "), http.StatusOK, `{"approved":true,"user_code":"`+user+`","agent_id":"bot"}`)
	wantError(t, approve(user, "bot"), http.StatusNotFound, api.NotFound)

	answer := poll(t, s, begun["device_code"])
	var token map[string]any
	if answer.JSON(t, &token); answer.Status != http.StatusOK || token["token_type"] != "Bearer" || token["expires_in"] != 2592000.0 {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	wantMembers(t, token, "access_token", "token_type", "expires_in", "kid")
	wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.Unauthorized) // single use

	var list []map[string]any
	if s.Admin(t, "GET", "/admin/devices", nil, &list); len(list) != 1 || list[0]["status"] != "approved" || list[0]["agent_id"] != "bot" {
		t.Errorf("%v", list)
	}
	wantMembers(t, list[0], "id", "user_code", "status", "agent_id", "created_at", "approved_at", "source_ip", "proved", "hostname", "last_used_at")
}

func TestUnknownDeviceCodes(t *testing.T) {
	s := servertest.New(t)
	for _, code := range []string{"x", strings.Repeat("ab", 32), "", "abcdefghijklmno\u00e9\u00e9", strings.Repeat("é", 500)} {
		wantError(t, poll(t, s, code), http.StatusUnauthorized, api.Unauthorized)
	}
	wantError(t, s.Do(t, servertest.Request{Method: "POST", Path: "/device/token", Body: `{}`}), http.StatusBadRequest, api.InvalidRequest)
}

// Deleting a device ends its token and its session at once.
func TestDeletedDeviceIsCutOff(t *testing.T) {
	s := unlimited(t)
	a := staged(t, s)
	token := a.Obtain(t, "app", "OPENAI_API_KEY").Token
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/devices/bot", nil), http.StatusOK, `{"deleted":true,"rows":1}`)
	wantError(t, a.Attest(t), http.StatusUnauthorized, api.Unauthorized)
	wantError(t, a.Fetch(t, "app", token), http.StatusUnauthorized, api.TokenRevoked)
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/devices/bot", nil), http.StatusOK, `{"deleted":true,"rows":0}`)
	wantBody(t, s.TryAdmin(t, "DELETE", "/admin/devices/nobody", nil), http.StatusOK, `{"deleted":true,"rows":0}`)
}

func TestAuthorizeLimit(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Defaults()})
	authorize(t, s)
	over := s.Do(t, servertest.Request{
		Method: "POST", Path: "/device/authorize", Body: `{}`,
		Header: http.Header{"X-Forwarded-For": {"1.2.3.4"}, "X-Real-Ip": {"1.2.3.4"}}, // believed of nobody
	})
	wantError(t, over, http.StatusTooManyRequests, api.RateLimited)
	var seconds int
	if _, err := fmt.Sscan(over.Header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("Retry-After %q", over.Header.Get("Retry-After"))
	}
}

func TestAuthorizeLimitBehindProxy(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Defaults(), Proxies: proxies(t, "127.0.0.1")})
	from := func(addr string) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`, Header: http.Header{"X-Forwarded-For": {"9.9.9.9, " + addr}}})
	}
	for _, tc := range []struct {
		addr   string
		status int
	}{
		{"198.51.100.1", 200},
		{"198.51.100.2", 200},
		{"198.51.100.1", 429},
		{"2001:db8:0:1::1", 200},
		{"2001:db8:0:1::2", 429}, // the same /64
		{"2001:db8:0:2::1", 200},
	} {
		if a := from(tc.addr); a.Status != tc.status {
			t.Errorf("%s: %d %s", tc.addr, a.Status, a.Body)
		}
	}
}

// Ever new sources begin no more logins than all of them may.
func TestLoginsOfAllSources(t *testing.T) {
	s := servertest.With(t, servertest.Config{Limits: limit.Defaults(), Proxies: proxies(t, "127.0.0.1")})
	from := func(i int) servertest.Answer {
		return s.Do(t, servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`, Header: http.Header{"X-Forwarded-For": {fmt.Sprintf("198.51.100.%d", i)}}})
	}
	n := limit.Defaults().Logins.N
	for i := range n {
		if a := from(i); a.Status != http.StatusOK {
			t.Fatalf("%d: %d %s", i, a.Status, a.Body)
		}
	}
	wantError(t, from(n), http.StatusTooManyRequests, api.RateLimited)
}

// A client that polls as often as it was told to is never turned away: old
// ones give up at anything but "pending".
func TestPollingAtTheAnnouncedPace(t *testing.T) {
	s := servertest.New(t)
	begun := authorize(t, s)
	perMinute := int(time.Minute / (5 * time.Second))
	if limit.Defaults().Poll.N < 2*perMinute {
		t.Fatalf("the limit of %s is too near to a poll every 5 s", limit.Defaults().Poll)
	}
	for range perMinute {
		wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.AuthorizationPending)
	}
	for range limit.Defaults().Poll.N - perMinute {
		poll(t, s, begun["device_code"])
	}
	wantError(t, poll(t, s, begun["device_code"]), http.StatusTooManyRequests, api.RateLimited)
}
