package server_test

import (
	"net/http"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
)

// inBubble runs a test against a server whose clock goes as the test sleeps.
func inBubble(t *testing.T, limits limit.Rates, test func(t *testing.T, s *servertest.Server)) {
	synctest.Test(t, func(t *testing.T) {
		test(t, servertest.With(t, servertest.Config{Direct: true, Limits: limits, Unlimited: limits.Off()}))
	})
}

func TestExpiredToken(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := staged(t, s)
		a.Obtain(t, "app", "OPENAI_API_KEY")
		d := a.Discovery("app", "OPENAI_API_KEY")
		d.RegenerateToken, d.SignedToken = new(true), true
		var got servertest.Discovered
		a.Send(t, d).JSON(t, &got)
		time.Sleep(14*24*time.Hour - time.Minute)
		a.Values(t, "app", got.Token)
		a.Values(t, "app", got.Signed)
		time.Sleep(time.Minute)
		wantError(t, a.Fetch(t, "app", got.Token), http.StatusUnauthorized, api.TokenExpired)
		wantError(t, a.Fetch(t, "app", got.Signed), http.StatusUnauthorized, api.TokenExpired)
		if p := project(t, s, "app"); p["token_status"] != "expired" {
			t.Errorf("%v", p)
		}
		fresh := a.Discover(t, "app", "OPENAI_API_KEY") // no regenerate_token needed
		a.Values(t, "app", fresh.Token)
	})
}

// After 30 days the device's token ends, and the sessions it opened with it.
func TestExpiredDevice(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		a := s.Enrol(t, "bot")
		time.Sleep(30*24*time.Hour - time.Minute)
		if answer := a.Attest(t); answer.Status != http.StatusOK {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		time.Sleep(time.Minute)
		wantError(t, a.Attest(t), http.StatusUnauthorized, api.Unauthorized)
		wantError(t, a.Send(t, a.Discovery("app")), http.StatusUnauthorized, api.Unauthorized)
	})
}

// A client that polls every five seconds hears "pending" until the code is too
// old, and nothing else.
func TestPollingForTenMinutes(t *testing.T) {
	inBubble(t, limit.Defaults(), func(t *testing.T, s *servertest.Server) {
		begun := authorize(t, s)
		for range 119 {
			time.Sleep(5 * time.Second)
			wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.AuthorizationPending)
		}
		time.Sleep(5 * time.Second)
		wantError(t, poll(t, s, begun["device_code"]), http.StatusUnauthorized, api.Unauthorized)
	})
}

// Retry-After tells the truth: a second less is too early.
func TestRetryAfter(t *testing.T) {
	inBubble(t, limit.Defaults(), func(t *testing.T, s *servertest.Server) {
		authorize(t, s)
		time.Sleep(20 * time.Second)
		request := servertest.Request{Method: "POST", Path: "/device/authorize", Body: `{}`}
		over := s.Do(t, request)
		after, err := strconv.Atoi(over.Header.Get("Retry-After"))
		if over.Status != http.StatusTooManyRequests || err != nil || after != 40 {
			t.Fatalf("%d, Retry-After %q", over.Status, over.Header.Get("Retry-After"))
		}
		time.Sleep(39 * time.Second)
		if again := s.Do(t, request); again.Status != http.StatusTooManyRequests {
			t.Errorf("too early: %d", again.Status)
		}
		time.Sleep(time.Second)
		if again := s.Do(t, request); again.Status != http.StatusOK {
			t.Errorf("in time: %d %s", again.Status, again.Body)
		}
	})
}

// Failures are forgotten when their minute is over.
func TestFailuresPass(t *testing.T) {
	inBubble(t, limit.Rates{Failures: limit.Rate{N: 2, Per: time.Minute}}, func(t *testing.T, s *servertest.Server) {
		wrong := servertest.Request{Method: "GET", Path: "/admin/secrets", Header: http.Header{"X-Admin-Token": {"wrong-wrong-wrong"}}}
		for range 2 {
			wantError(t, s.Do(t, wrong), http.StatusUnauthorized, api.Unauthorized)
		}
		wantError(t, s.TryAdmin(t, "GET", "/admin/secrets", nil), http.StatusTooManyRequests, api.RateLimited)
		time.Sleep(time.Minute)
		s.Admin(t, "GET", "/admin/secrets", nil, nil)
	})
}
