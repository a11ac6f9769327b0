package server_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/cortex-auth/cortex/server/api"
	"github.com/cortex-auth/cortex/server/limit"
	"github.com/cortex-auth/cortex/server/servertest"
)

// sealedWithShares seals a vault that two of the shares open.
func sealedWithShares(t *testing.T, s *servertest.Server) []string {
	t.Helper()
	var made struct{ Shares []string }
	s.Admin(t, "POST", "/admin/shamir/generate", map[string]int{"threshold": 2, "shares": 3}, &made)
	s.Admin(t, "POST", "/sys/seal", nil, nil)
	return made.Shares
}

func offer(t *testing.T, s *servertest.Server, attempt, share string) servertest.Answer {
	t.Helper()
	body := map[string]string{"share": share}
	if attempt != "" {
		body["attempt"] = attempt
	}
	return s.Do(t, servertest.Request{Method: "POST", Path: "/sys/unseal", Body: body})
}

// begun offers the first share of an attempt and returns the attempt's name.
func begun(t *testing.T, s *servertest.Server, share string) string {
	t.Helper()
	var out api.SealStatus
	if offer(t, s, "", share).JSON(t, &out); out.Attempt == "" || !out.Sealed || out.Missing != 1 {
		t.Fatalf("%+v", out)
	}
	return out.Attempt
}

// A share waits five minutes for the others, and no longer.
func TestAttemptEnds(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		shares := sealedWithShares(t, s)
		late := begun(t, s, shares[0])
		time.Sleep(time.Second)
		inTime := begun(t, s, shares[0])
		time.Sleep(5 * time.Minute)
		over := offer(t, s, late, shares[1])
		wantError(t, over, http.StatusBadRequest, api.InvalidRequest)
		if !strings.Contains(string(over.Body), "unknown or over") {
			t.Errorf("%s", over.Body)
		}
		wantBody(t, offer(t, s, inTime, shares[1]), http.StatusOK, `{"sealed":false,"initialized":true,"recovered":true}`)
	})
}

// Eight attempts at once are enough. More are refused, which keeps none of the
// eight from its end, and there is room again when they are over.
func TestAttemptsAtOnce(t *testing.T) {
	inBubble(t, limit.Rates{}, func(t *testing.T, s *servertest.Server) {
		shares := sealedWithShares(t, s)
		var names []string
		for range 8 {
			names = append(names, begun(t, s, shares[0]))
		}
		wantError(t, offer(t, s, "", shares[1]), http.StatusTooManyRequests, api.RateLimited)
		wantBody(t, offer(t, s, names[0], shares[1]), http.StatusOK, `{"sealed":false,"initialized":true,"recovered":true}`)
		s.Admin(t, "POST", "/sys/seal", nil, nil)
		begun(t, s, shares[2])
		wantError(t, offer(t, s, "", shares[1]), http.StatusTooManyRequests, api.RateLimited)
		time.Sleep(5*time.Minute + time.Nanosecond)
		for range 8 {
			begun(t, s, shares[1])
		}
	})
}
